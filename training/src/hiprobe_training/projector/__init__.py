"""Training of the embedded backbone's projector on generated scenes; vision tower and language model stay frozen.

Run from the repository root; every step resumes where it was cut off:

    python -m hiprobe_training.projector.features --out runs/scenes --clips 6000  # render, encode, keep what is true
    python -m hiprobe_training.projector.observe --scenes runs/scenes --out runs/observer
    python -m hiprobe_training.projector.speak --scenes runs/scenes --observer runs/observer --out runs/projector
    python -m hiprobe_training.projector.ship --from runs/projector                 # into the package, float16

``features``
    clips of :mod:`hiprobe_training.scenes` to patch features and ground truth.
``dataset``
    what was written, reduced and read back.
``augment``
    clips made different: mirrored, enlarged, at another pace.
``slots``
    the questions that the observer answers.
``observe``, ``speak``
    the two stages; ``loop`` is what they share.
``packing``
    questions and answers about one clip as one sequence that shares the visual tokens.
``model``
    the embedded backbone as training takes it.
"""
