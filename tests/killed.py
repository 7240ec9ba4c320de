"""Trainings killed at random moments and started again: ``python -m tests.killed [RUNS]`` does so many, 50 unless told, and
says whether all of them end with the bits of one that was left alone."""

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
EVERY = [0, 1, 5]  # steps between checkpoints, beside those of the epochs


def learn(folder: Path, every: int, seconds: float | None = None) -> tuple[str, float]:
    """Runs the training, and kills it so many seconds after it began to learn, if it is given some; its result where
    it ended, and how long it learned."""
    command = [sys.executable, resumable.__file__, str(folder), str(every)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        begun = time.perf_counter()
        if seconds is not None:
            time.sleep(seconds)
            process.kill()
        return process.stdout.read().strip(), time.perf_counter() - begun


def killed(folder: Path, every: int, kills: int, longest: float, draw: random.Random) -> tuple[str, int]:
    """The result of a training that is killed so many times, fewer where it ends before, but at least once, and then
    left alone; and how often it was. After each kill the checkpoint is whole, at the end it stands alone."""
    folder.mkdir()
    result, done = "", 0
    while done < kills and not result:
        result, _ = learn(folder, every, draw.uniform(0, longest))
        done += not result
        if (folder / "run.npz").exists():
            train.read_checkpoint(folder / "run.npz")
        if result and not done:  # it ended before it was killed: once more
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
        print(f"{runs} runs, killed {total} times: {equal} end with the bits of the one that was left alone")
    sys.exit(equal != runs)


if __name__ == "__main__":
    main()
