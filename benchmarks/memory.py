"""The most memory, of the whole process, that `cygrad train mnist` takes, and that the same training takes in PyTorch.

    python -m benchmarks.memory --data DIR

Both train the same network on the same files, with the same batches, each in a process of its own; what counts is the
peak of its resident set, as the system tells it when the process has ended.
"""

# A process that has just begun has, to the system, once had its parent's size. So nothing large is imported here.
from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["COMMANDS", "main", "peak"]

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {
    "cygrad": ["-m", "cygrad", "train", "mnist"],
    "PyTorch": ["-m", "benchmarks.memory_torch"],
}
THREADS = ("CYGRAD_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def peak(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """The peak of a process's resident set in MB (10⁶ bytes).

    Raises ChildProcessError, with the last line it wrote, where it fails.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            written = errors.read().decode(errors="replace").strip().splitlines() or [f"code {process.returncode}"]
            raise ChildProcessError(written[-1])
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6  # bytes on macOS, kilobytes elsewhere


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the peaks and their ratio; returns the exit code."""
    options = parser().parse_args(arguments)
    if not options.data:
        print("memory: --data or CYGRAD_DATA must name the folder of MNIST's files", file=sys.stderr)
        return 2
    environment = {**os.environ, **dict.fromkeys(THREADS, str(options.threads))}
    medians: dict[str, float] = {}
    for peer, command in COMMANDS.items():
        with tempfile.TemporaryDirectory() as folder:
            given = ["--data", os.path.abspath(options.data), "--epochs", str(options.epochs), "--out", folder + "/run"]
            try:
                peaks = [peak([sys.executable, *command, *given], environment) for _ in range(options.rounds)]
            except ChildProcessError as error:
                print(f"{peer:8} left out: {error}")
                continue
        medians[peer] = statistics.median(peaks)
        print(f"{peer:8}{medians[peer]:8.1f} MB  ({', '.join(f'{p:.1f}' for p in peaks)})", flush=True)
    if len(medians) == 2:
        print(f"ratio   {medians['PyTorch'] / medians['cygrad']:8.2f}")
    return 0 if "cygrad" in medians else 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    add = top.add_argument
    add("--data", default=os.environ.get("CYGRAD_DATA"), help="folder of MNIST's files (default: CYGRAD_DATA)")
    add("--epochs", type=int, default=3, help="epochs of each training (default: 3)")
    add("--rounds", type=int, default=3, help="how often each trains (default: 3)")
    add("--threads", type=int, default=1, help="threads of each (default: 1)")
    return top


if __name__ == "__main__":
    sys.exit(main())
