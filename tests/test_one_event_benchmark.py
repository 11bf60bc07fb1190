"""The benchmark of one event in ten minutes: a scene is scored where it is put, and the rest stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks import one_event
from benchmarks.one_event import cameras, footage_scorer, streams
from hiprobe.features import extract
from hiprobe.pipeline import StandOut
from tests.fakes import FakeTokenBackbone, yard_video


def test_a_scene_takes_the_place_of_another(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(one_event, "place_of", lambda index: 20.0 + 6 * index)
    yard_video(tmp_path / "cam1_ordinary_1.mp4", 60)
    yard_video(tmp_path / "cam1_scene_car_1.mp4", 6, (0, 6))
    yard_video(tmp_path / "cam1_scene_fall_1.mp4", 6, seed=1)
    (tmp_path / "labels.csv").write_text("path,label,start,end,group\ncam1_ordinary_1.mp4,normal,,,cam1\n")
    rows = ["cam1_scene_car_1.mp4,car,0,6,cam1", "cam1_scene_fall_1.mp4,fall,0,6,cam1"]
    (tmp_path / "scenes.csv").write_text("\n".join(["path,label,start,end,group", *rows]) + "\n")
    (camera,) = cameras(tmp_path, None)
    backbone = FakeTokenBackbone()
    ((ordinary, probe),) = StandOut(backbone).probes([camera.ordinary.video])
    (car, fall), alarms = streams(
        camera, probe, footage_scorer(probe), ordinary, lambda scene: extract(scene.video, backbone, probe.extraction)
    )
    assert (car.name, car.highest, car.found, car.false_alarms, alarms) == ("cam1 car", True, True, 0, 0)
    assert car.auc > 0.9 and fall.name == "cam1 fall" and not fall.found  # nothing happens in it
    places = [one_event.SCENE * (5 + 11 * index % (one_event.SCENES - 10)) for index in range(18)]
    assert len(set(places)) == 18 and np.max(places) < 600 - one_event.SCENE
