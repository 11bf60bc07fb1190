"""What the embedded backbone's projector is trained on, and how: generated scenes, and the training itself.

HiProbe does not import this package; this package imports HiProbe.

:mod:`hiprobe_training.scenes`
    draws clips with exact ground truth: the bundled sample clips, and clips with captions to train on.
:mod:`hiprobe_training.projector`
    trains the projector on thousands of them, in two stages.
"""
