"""What the embedded backbone says about Surveillance Camera Fight, with no label used anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.generated_scenes import BATCH, generate_all
from hiprobe.datasets import LabelledVideo
from hiprobe.explain import EXPLAIN_PROMPT
from hiprobe.video import Segment, open_video, sample_segments
from hiprobe_training.projector.features import FRAMES
from hiprobe_training.scenes.captions import called_abnormal, named_events

PRINTED, SEED = 20, 0


def measure_zero_shot(splits: dict[str, list[LabelledVideo]], backbone: Any) -> dict[str, Any]:
    """Print how many fights and normal clips are said to be fights, and twenty texts; returns the numbers."""
    videos = [video for split in splits.values() for video in split]
    frames = []
    for path in (video.path for video in videos):
        video = open_video(path)
        whole = Segment(0, 0.0, video.info.duration)
        frames += [item.frames for item in sample_segments(video, [whole], FRAMES, backbone.info.frame_size)]
    tokens = [backbone.tokens_with_slots(np.stack(frames[i : i + BATCH])) for i in range(0, len(frames), BATCH)]
    texts = generate_all(backbone, tokens, EXPLAIN_PROMPT)
    fights = np.array([video.is_abnormal for video in videos])
    said = np.array(["fight" in named_events(text) for text in texts])
    anything = np.array([called_abnormal(text) for text in texts])
    print(f"\nZero-shot text, Surveillance Camera Fight ({fights.sum()} fights, {(~fights).sum()} normal clips)\n")
    print("| said | of the fights | of the normal clips |\n| --- | --- | --- |")
    print(f"| a fight | {said[fights].mean():.1%} | {said[~fights].mean():.1%} |")
    print(f"| anything unusual | {anything[fights].mean():.1%} | {anything[~fights].mean():.1%} |")
    print(f"\n{PRINTED} texts, drawn by seed {SEED}\n\n| clip | label | text |\n| --- | --- | --- |")
    for index in sorted(np.random.default_rng(SEED).choice(len(videos), PRINTED, replace=False)):
        print(f"| {videos[index].path.stem} | {videos[index].label} | {texts[index]} |")
    return {
        "fight_named_in_fights": float(said[fights].mean()),
        "fight_named_in_normal": float(said[~fights].mean()),
        "texts": {video.path.stem: text for video, text in zip(videos, texts, strict=True)},
    }
