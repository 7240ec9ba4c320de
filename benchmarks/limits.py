"""The machine's name and its limits, measured by probes.c."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from cygrad.bench.timing import cpu_name
from cygrad.cores import usable_cores

__all__ = ["Unmeasured", "machine", "measure"]

PROBES = Path(__file__).with_name("probes.c")
# -march=native: the probes run only on the machine that builds them.
FLAGS = ["-std=gnu11", "-O3", "-march=native", "-ffp-contract=fast", "-pthread"]


class Unmeasured(Exception):
    """There is no C compiler, or it cannot build the probes."""


def machine() -> dict[str, str]:
    """Processor, cores that this process may use, and operating system."""
    return {"cpu": cpu_name(), "cores": str(usable_cores()), "system": platform.platform()}


def measure(threads: int) -> dict[str, float]:
    """The peak rates: gflops, GFLOP/s of fused multiply-adds in float32, and gbytes, GB/s of streaming.

    The system's C compiler builds the probes. Raises Unmeasured, with the reason.
    """
    command = shlex.split(os.environ.get("CC", "cc"))
    if not command or shutil.which(command[0]) is None:
        raise Unmeasured(f"there is no C compiler {command[0] if command else ''!r}; set CC to another")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "probes")
        built = subprocess.run([*command, *FLAGS, str(PROBES), "-o", program], capture_output=True, text=True)
        if built.returncode:
            raise Unmeasured(f"{command[0]} cannot build {PROBES.name}: {' '.join(built.stderr.split())[:200]}")
        run = subprocess.run([program, str(threads)], capture_output=True, text=True)
    if run.returncode:
        raise Unmeasured(f"{PROBES.name} exited with code {run.returncode}")
    return json.loads(run.stdout)
