"""The peak memory of the whole process of `cygrad train mnist`, and of the same training in PyTorch.

    python -m benchmarks.peak_memory --data DIR

Both train the same network on the same files with the same batches, each in its own process. The figure is the peak
of the resident set, which the system reports when the process has ended.
"""

# To the system, a new process has once had the size of its parent. So nothing large, such as NumPy, is imported here.
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
    "PyTorch": ["-m", "benchmarks.peak_memory_torch"],
}
THREADS = ("CYGRAD_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def peak(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """The peak of a process's resident set in MB (10⁶ bytes).

    Raises ChildProcessError, with the last line that it wrote, if it fails.
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
    """Print the peaks and their ratio, and return the exit code."""
    options = parser().parse_args(arguments)
    if not options.data:
        print("peak_memory: --data or CYGRAD_DATA must name the folder of MNIST's files", file=sys.stderr)
        return 2
    environment = {**os.environ, **dict.fromkeys(THREADS, str(options.threads))}
    medians: dict[str, float] = {}
    for peer, command in COMMANDS.items():
        with tempfile.TemporaryDirectory() as folder:
            given = ["--data", os.path.abspath(options.data), "--epochs", str(options.epochs), "--out", folder + "/run"]
            try:
                peaks = [peak([sys.executable, *command, *given], environment) for _ in range(options.rounds)]
            except ChildProcessError as error:
                print(f"{peer:8} skipped: {error}")
                continue
        medians[peer] = statistics.median(peaks)
        print(f"{peer:8}{medians[peer]:8.1f} MB  ({', '.join(f'{p:.1f}' for p in peaks)})", flush=True)
    if len(medians) == 2:
        print(f"ratio   {medians['PyTorch'] / medians['cygrad']:8.2f}")
    return 0 if "cygrad" in medians else 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m benchmarks.peak_memory", description=__doc__.split("\n")[0])
    add = top.add_argument
    add("--data", default=os.environ.get("CYGRAD_DATA"), help="folder of MNIST's files (default: CYGRAD_DATA)")
    add("--epochs", type=int, default=3, help="number of epochs (default: 3)")
    add("--rounds", type=int, default=3, help="number of trainings of each library (default: 3)")
    add("--threads", type=int, default=1, help="threads per process (default: 1)")
    return top


if __name__ == "__main__":
    sys.exit(main())
