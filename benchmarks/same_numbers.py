"""Whether two checkouts of HiProbe compute the same, to the bit; only their command lines are used.

    python -m benchmarks.same_numbers OLD_CHECKOUT NEW_CHECKOUT DATA [--work DIR] [--only samples,fight,ped2]

DATA is a folder with ``surv_fight`` and ``ucsd_ped2``, each with its ``labels.csv``. Both checkouts run with this
Python. The results of the old one stay in ``--work``, and what is there is not made again. The new one runs anew each
time. It must also read what the old one wrote. ``benchmarks/same_plan.py`` says what runs and what may be renamed.
Prints a table. Exits with 1 if something differs.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from benchmarks.same_plan import OPTIONS, SETS, Step, write_plan
from benchmarks.same_values import (
    Table,
    compare_frames,
    compare_json,
    compare_probes,
    compare_states,
    hidden_width,
    read_states,
)


class Side:
    """A checkout, and the folder of its results.

    Parameters
    ----------
    checkout : Path
        Of HiProbe.
    folder : Path
        Where the results go.
    threads : int
        Of the numerical libraries.
    """

    def __init__(self, checkout: Path, folder: Path, threads: int) -> None:
        self.checkout, self.folder = checkout, folder
        libraries = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        # Help is printed without a break in a line, so that words can be found in it.
        self._environment = os.environ | {name: str(threads) for name in libraries} | {"COLUMNS": "400"}
        self._environment["PYTHONPATH"] = str(checkout / "src")
        self.help = cache(self._help)

    def run(self, words: tuple[str, ...], folder: Path) -> subprocess.CompletedProcess[str]:
        """Run one command of this checkout in a folder."""
        command = [sys.executable, "-m", "hiprobe", *words]
        return subprocess.run(command, cwd=folder, env=self._environment, capture_output=True, text=True, check=False)

    def spelled(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Return the words of a command as this checkout spells them."""
        for old, *others in OPTIONS:
            at = next((i for i in range(len(words)) if words[i : i + len(old)] == old), None)
            if at is not None:
                told = self.help(words[0])
                known = (option for option in (old, *others) if all(word in told for word in option))
                words = (*words[:at], *next(known, old), *words[at + len(old) :])
        return words

    def _help(self, verb: str) -> str:
        return self.run((verb, "--help"), self.folder).stdout


def run_steps(side: Side, folder: Path, steps: list[Step], probes: Path, again: bool) -> list[str]:
    """Run steps into a folder, and return those that failed, each with the last line of what it said.

    Parameters
    ----------
    side : Side
        Whose code runs.
    folder : Path
        For the results.
    steps : list of Step
        In order.
    probes : Path
        Folder of the probes that steps use.
    again : bool
        Whether to run steps that are there and complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    for step in steps:
        words = tuple(word.format(out=folder, probes=probes) for word in step.words)
        mark = folder / f"{step.name}.done"
        facts = {"words": list(words), "checkout": str(side.checkout)}
        if not again and mark.exists() and json.loads(mark.read_text()) == facts:
            continue
        mark.unlink(missing_ok=True)
        began = time.perf_counter()
        done = side.run(side.spelled(words), folder)
        (folder / f"{step.name}.out").write_text(done.stdout)
        (folder / f"{step.name}.log").write_text(done.stderr)
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        print(f"{folder.name} {step.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        if done.returncode:
            failed.append(f"{step.name}: {said}")
            print(f"  failed: {said}", file=sys.stderr, flush=True)
        else:
            mark.write_text(json.dumps(facts))
    return failed


def compare_set(table: Table, name: str, steps: list[Step], old: Path, new: Path) -> None:
    """Compare all results of one set of videos."""
    width = hidden_width(old)
    compare_states(table, name, read_states(old / "features", width), read_states(new / "features", width))
    for step in steps:
        here = f"{name} {step.name}"
        if not (new / f"{step.name}.done").exists():
            continue  # told already
        if step.words[0] == "fit":
            compare_probes(table, name, old / f"{step.name}.probe", new / f"{step.name}.probe", here)
        elif step.words[0] == "eval":
            pair = [json.loads((side / f"{step.name}.out").read_text()) for side in (old, new)]
            compare_json(table, lambda _: (name, "eval --json"), pair[0], pair[1], here)
        else:
            _compare_detections(table, name, old / step.name, new / step.name, here)
            if "{out}/overlay" in step.words:
                compare_frames(table, name, old / "overlay", new / "overlay", here)


def _compare_detections(table: Table, name: str, old: Path, new: Path, here: str, only: tuple[str, ...] = ()) -> None:
    """Compare the results of two runs of ``detect``: all of them, or the parts of each that are named."""

    def row(path: str) -> tuple[str, str]:
        return name, f"detect: {path.split('.')[1]}"

    names = sorted(path.name for path in old.glob("*.json"))
    table.same((name, "detect: files"), names, sorted(path.name for path in new.glob("*.json")), here)
    for file in (file for file in names if (new / file).exists()):
        pair = [json.loads((folder / file).read_text(encoding="utf-8")) for folder in (old, new)]
        if only:
            pair = [{key: content.get(key) for key in only} for content in pair]
        compare_json(table, row, pair[0], pair[1], f"{here} {file}")
    if not only:
        rows = [_read_csv(folder / "events.csv") for folder in (old, new)]
        compare_json(table, lambda _: (name, "events.csv"), rows[0], rows[1], here)


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def compare_reading(table: Table, name: str, steps: list[Step], side: Side, old: Path, folder: Path) -> None:
    """Let the new checkout read what the old one wrote: hidden states, probes, results."""
    told = f"{name}, the new reads the old"
    shutil.copytree(old / "features", folder / "features")
    again = [step.brief() for step in steps if step.words[0] == "detect" or step.is_ordinary_fit]
    for failure in run_steps(side, folder, again, old, again=True):
        table.wrong((told, "commands"), failure)
    for step in again:
        here = f"{told} {step.name}"
        if not (folder / f"{step.name}.done").exists():
            continue
        if step.words[0] == "fit":
            compare_probes(table, told, old / f"{step.name}.probe", folder / f"{step.name}.probe", here)
        else:
            parts = ("segments", "threshold")
            _compare_detections(table, told, old / step.name, folder / step.name, here, parts)
    width = hidden_width(old)
    found = (told, "feature files found again")
    before, after = (
        {file.path.name: file.path.stat().st_mtime_ns for file in read_states(at / "features", width)}
        for at in (old, folder)
    )
    for file, written in before.items():
        table.same(found, written, after.pop(file), f"{file}, when written")
    for file in after:
        table.wrong(found, f"{file} was made anew")
    for step in (step for step in steps if step.words[0] == "detect"):
        results = sorted(map(str, (old / step.name).glob("*.json")))
        page = folder / f"{step.name}.html"
        done = side.run(("report", *results, "--out", str(page)), folder)
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        table.same((told, "report of old results"), (0, True), (done.returncode, page.exists()), f"{step.name}: {said}")


def main() -> None:
    """Run both checkouts, print the table, and exit with 1 if something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="checkout whose results are right")
    parser.add_argument("new", type=Path, help="checkout to compare with it")
    parser.add_argument("data", type=Path, help="folder with surv_fight and ucsd_ped2")
    parser.add_argument("--work", type=Path, default=Path("bench-out/same"), help="folder for the results")
    parser.add_argument("--only", default=",".join(SETS), help="sets to run, with commas; default: all")
    parser.add_argument("--threads", type=int, default=2, help="threads of the numerical libraries")
    parser.add_argument("--again", action="store_true", help="run the old checkout again, too")
    parser.add_argument("--old-only", action="store_true", help="run the old checkout and stop")
    options = parser.parse_args()
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(SETS):
        parser.error(f"--only {','.join(sorted(unknown))}: choose of {', '.join(SETS)}")
    work = options.work.resolve()
    plan = write_plan(options.old.resolve() / "src/hiprobe/samples", options.data.resolve(), work / "inputs", chosen)
    old = Side(options.old.resolve(), work / "old", options.threads)
    new = Side(options.new.resolve(), work / "new", options.threads)
    if options.again:
        shutil.rmtree(old.folder, ignore_errors=True)
    old.folder.mkdir(parents=True, exist_ok=True)
    failed = _timed("old", lambda: _run_all(old, plan, again=False))
    if failed:
        sys.exit("The old checkout failed:\n" + "\n".join(failed))
    if options.old_only:
        return
    shutil.rmtree(new.folder, ignore_errors=True)
    new.folder.mkdir()
    table = Table()
    for failure in _timed("new", lambda: _run_all(new, plan, again=True)):
        table.wrong((failure.split()[0], "commands"), failure)
    for name, steps in plan.items():
        compare_set(table, name, steps, old.folder / name, new.folder / name)
        compare_reading(table, name, steps, new, old.folder / name, new.folder / f"{name}-from-old")
    print(table.markdown())
    sys.exit(0 if table.is_same else 1)


def _run_all(side: Side, plan: dict[str, list[Step]], again: bool) -> list[str]:
    return [
        f"{name} {failure}"
        for name, steps in plan.items()
        for failure in run_steps(side, side.folder / name, steps, side.folder / name, again)
    ]


def _timed(what: str, function: Callable[[], list[str]]) -> list[str]:
    began = time.perf_counter()
    found = function()
    print(f"{what}: {time.perf_counter() - began:.0f} s in all", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
