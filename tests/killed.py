"""Kill trainings at random moments and resume them: ``python -m tests.killed [RUNS]``, 50 runs by default, reports whether all
of them end with the bits of an uninterrupted one."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cygrad as cg
from cygrad import train
from tests import resumable

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1])}
EVERY = [0, 1, 5]  # steps between checkpoints within epochs; 0 for none


def learn(folder: Path, every: int, seconds: float | None = None) -> tuple[str, float]:
    """Run the training, and kill it some seconds after its start, if given; return its result, if it ended, and the
    time it trained."""
    command = [sys.executable, resumable.__file__, str(folder), str(every)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        started = time.perf_counter()
        if seconds is not None:
            time.sleep(seconds)
            process.kill()
        return process.stdout.read().strip(), time.perf_counter() - started


def killed(folder: Path, every: int, kills: int, longest: float, draw: random.Random) -> tuple[str, int]:
    """Kill a training up to `kills` times, at least once, then let it end; return its result and the number of kills.
    After each kill the checkpoint is complete; at the end it is the only file."""
    folder.mkdir()
    result, done = "", 0
    while done < kills and not result:
        result, _ = learn(folder, every, draw.uniform(0, longest))
        done += not result
        if (folder / "run.npz").exists():
            train.read_checkpoint(folder / "run.npz")
        if result and not done:  # it ended before it was killed: try again
            shutil.rmtree(folder)
            folder.mkdir()
            result = ""
    result = result or learn(folder, every)[0]
    assert os.listdir(folder) == ["run.npz"]
    return result, done


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole")
        whole.mkdir()
        wanted, seconds = learn(whole, 1)
        draw, total, equal = random.Random(0), 0, 0
        for number in range(runs):
            result, kills = killed(Path(folder, str(number)), EVERY[number % 3], draw.randint(1, 4), seconds, draw)
            total += kills
            equal += result == wanted
        print(f"{runs} runs, killed {total} times: {equal} end with the bits of the uninterrupted one")
    sys.exit(equal != runs)


if __name__ == "__main__":
    main()
