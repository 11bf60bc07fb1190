"""Training of the embedded backbone's projector on generated scenes; vision tower and language model stay frozen.

Run from the repository root (needs the ``scenes`` extra); every step resumes where it was cut off:

    python -m tools.training.features --out runs/scenes --clips 12000     # render, encode, describe
    python -m tools.training.train --scenes runs/scenes --out runs/projector
    python -m tools.training.ship --from runs/projector                     # into the package, float16

``features``
    clips of :mod:`tools.scenes` to the streams that the projector reads, with questions and answers.
``dataset``
    what was written, read back.
``packing``
    questions and answers about one clip as one sequence that shares the visual tokens.
``train``
    the loop, its checkpoints and its log.
"""
