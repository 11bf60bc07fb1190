"""Asked against obtained alarms an hour, on footage that calibration did not see.

    python -m benchmarks.alarm_rates DATA [--cameras FOLDER] [--probe fight] [--work FOLDER]

DATA holds ``ucsd_ped2/``: its normal clips are split in halves, the probe is calibrated on one and alarms are counted
on the other, both ways. FOLDER holds ordinary footage, ``CAMERA_ordinary_NUMBER.mp4``: of each camera the first videos
are calibrated on, and the rest is counted. The starter probe ``fight`` has seen neither; --probe names another.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import expon, gamma, norm, t

from benchmarks.extraction import kept_run
from benchmarks.real_footage import read_videos
from hiprobe.backbones import Backbone, load_backbone
from hiprobe.features import Features, extract_all, raise_failures
from hiprobe.localize import AlarmRates
from hiprobe.pipeline.calibrate import calibrate_features
from hiprobe.pipeline.detector import score
from hiprobe.probes import load_starter
from hiprobe.probing import Probe
from hiprobe.video import VideoRef

RATES = (1.0, 5.0, 20.0)


@dataclass(frozen=True)
class Counted:
    """What came of one rate that was asked, on one footage.

    Attributes
    ----------
    threshold, low, high : float
        Of calibration, and its interval an hour.
    asked, calibrated_hours : float
    events : int
        On the footage that was counted, ``hours`` long.
    left_out : int
        Moments of the calibration footage that stood out.
    """

    asked: float
    threshold: float
    low: float
    high: float
    calibrated_hours: float
    events: int
    hours: float
    left_out: int

    @property
    def holds(self) -> bool:
        """Whether the interval and that of the count have a rate in common."""
        most = gamma.ppf(0.975, self.events + 1) / self.hours
        least = gamma.ppf(0.025, self.events) / self.hours if self.events else 0.0
        return bool(least <= self.high and most >= self.low)


def count(probe: Probe, seen: Sequence[Features], unseen: Sequence[Features], asked: float) -> Counted:
    """Calibrate on one part of footage and count events on the other."""
    found = calibrate_features(probe, seen, asked)
    threshold = found.probe.calibrated_threshold
    events = sum(len(score(item, found.probe, found.probe.localize)[2]) for item in unseen)
    hours = sum(item.video.duration for item in unseen) / 3600
    low, high = found.alarms.interval(threshold)
    return Counted(asked, threshold, low, high, found.alarms.hours, events, hours, len(found.odd))


def table(name: str, rows: Sequence[tuple[str, Counted]]) -> None:
    """Print counts as Markdown, and all footage together for each rate."""
    print(f"\n### {name}\n")
    print("| footage | calibrated on | asked an hour | expected (95%) | obtained | counted in | consistent |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for footage, item in rows:
        expected = f"{item.low:.2g} to {item.high:.2g}"
        print(
            f"| {footage} | {60 * item.calibrated_hours:.1f} min | {item.asked:g} | {expected} | "
            f"{item.events / item.hours:.2g} ({item.events}) | {60 * item.hours:.1f} min | "
            f"{'yes' if item.holds else 'no'} |"
        )
    for asked in RATES:
        of_rate = [item for _, item in rows if item.asked == asked]
        events, hours = sum(item.events for item in of_rate), sum(item.hours for item in of_rate)
        print(
            f"| **all** | | {asked:g} | | **{events / hours:.2g}** ({events}) | {60 * hours:.1f} min | "
            f"{sum(item.holds for item in of_rate)} of {len(of_rate)} |"
        )


def read(videos: Sequence[VideoRef], probe: Probe, backbone: Backbone, work: Path) -> list[Features]:
    """Read the probe's layer of videos; none may fail."""
    features, failures = extract_all(videos, backbone, probe.extraction, kept_run(work))
    raise_failures(failures, "a benchmark leaves no video out:")
    return features


def by_halves(data: Path, probe: Probe, backbone: Backbone, work: Path) -> list[tuple[str, Counted]]:
    """Return the counts on Ped2's normal clips, every second one in the other half, both ways."""
    videos = [video for split in read_videos(data / "ucsd_ped2").values() for video in split if not video.is_abnormal]
    features = read([video.video for video in videos], probe, backbone, work)
    odd, even = features[::2], features[1::2]
    ways = (("odd, then even", odd, even), ("even, then odd", even, odd))
    return [(name, count(probe, seen, unseen, asked)) for name, seen, unseen in ways for asked in RATES]


def by_camera(folder: Path, seen: int, probe: Probe, backbone: Backbone, work: Path) -> list[tuple[str, Counted]]:
    """Return the counts on a folder of cameras, each calibrated on its first videos."""
    cameras: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.glob("*_ordinary_*.mp4")):
        cameras[path.name.split("_ordinary_")[0]].append(path)
    rows = []
    for camera, paths in cameras.items():
        features = read([VideoRef(path) for path in paths], probe, backbone, work)
        rows += [(camera, count(probe, features[:seen], features[seen:], asked)) for asked in RATES]
    return rows


def simulate(trials: int = 200) -> None:
    """Print the share of intervals that hold the true rate, for rates that an hour of drawn peaks cannot count."""
    random = np.random.default_rng(0)
    print("\n| peaks an hour | rate asked | normal | exponential | t, 5 degrees |")
    print("| --- | --- | --- | --- | --- |")
    for peaks in (20, 60, 200):
        for asked in (0.3, 0.05):
            shares = []
            for drawn in (norm, expon, t(5)):  # pyright: ignore[reportCallIssue]
                held = 0
                for _ in range(trials):
                    values = drawn.rvs(size=max(random.poisson(peaks), 8), random_state=random)
                    alarms = AlarmRates(1.0, tuple(np.sort(values)[::-1].tolist()))
                    threshold = alarms.threshold_for(asked)
                    low, high = alarms.interval(threshold)
                    held += low <= peaks * drawn.sf(threshold) <= high
                shares.append(f"{held / trials:.0%}")
            print(f"| {peaks} | {asked:g} | {' | '.join(shares)} |", flush=True)


def main() -> None:
    """Count alarms on Ped2, and on generated cameras if a folder is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with ucsd_ped2/")
    parser.add_argument("--cameras", type=Path, help="folder of ordinary footage by camera")
    parser.add_argument("--probe", default="fight", help="a starter probe")
    parser.add_argument("--seen", type=int, default=2, help="videos of each camera to calibrate on")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for hidden states")
    parser.add_argument("--simulate", action="store_true", help="only measure the intervals, on drawn peaks")
    options = parser.parse_args()
    if options.simulate:
        simulate()
        return
    probe = load_starter(options.probe)
    backbone = load_backbone(report=print)
    table("UCSD Ped2, normal clips by halves", by_halves(options.data, probe, backbone, options.work))
    if options.cameras:
        rows = by_camera(options.cameras, options.seen, probe, backbone, options.work)
        table("Generated cameras, ordinary footage", rows)


if __name__ == "__main__":
    main()
