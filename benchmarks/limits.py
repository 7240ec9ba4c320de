"""The machine's limits, measured by probes.c, and what machine it is."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from cygrad.bench import cpu_name
from cygrad.cores import usable_cores

__all__ = ["Unmeasured", "machine", "measure"]

PROBES = Path(__file__).with_name("probes.c")
# -march=native: the probes run where they are built, and nowhere else.
FLAGS = ["-std=gnu11", "-O3", "-march=native", "-ffp-contract=fast", "-pthread"]


class Unmeasured(Exception):
    """There is no compiler, or it can't build the probes."""


def machine() -> dict[str, str]:
    """Processor, cores this process may use, and system."""
    return {"cpu": cpu_name(), "cores": str(usable_cores()), "system": platform.platform()}


def measure(threads: int) -> dict[str, float]:
    """gflops, the most fused multiply-adds of float32 in GFLOP/s, and gbytes, the most streaming in GB/s, with so many
    threads. The system's compiler builds the probes; nothing else needs one.

    Raises Unmeasured, with the reason.
    """
    command = shlex.split(os.environ.get("CC", "cc"))
    if not command or shutil.which(command[0]) is None:
        raise Unmeasured(f"there is no C compiler {command[0] if command else ''!r}; CC names another")
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "probes")
        built = subprocess.run([*command, *FLAGS, str(PROBES), "-o", program], capture_output=True, text=True)
        if built.returncode:
            raise Unmeasured(f"{command[0]} can't build {PROBES.name}: {' '.join(built.stderr.split())[:200]}")
        run = subprocess.run([program, str(threads)], capture_output=True, text=True)
    if run.returncode:
        raise Unmeasured(f"{PROBES.name} ended with code {run.returncode}")
    return json.loads(run.stdout)
