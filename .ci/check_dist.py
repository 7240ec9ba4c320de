"""Checks what would be published: the wheel's size and contents, and that the sdist holds every tracked file."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

LARGEST_WHEEL = 2 * 2**20
LEFT_OUT_OF_SDIST = (".ci/", ".github/", ".gitignore")


def check_wheel(path: Path) -> None:
    size = path.stat().st_size
    assert size <= LARGEST_WHEEL, f"{path.name} has {size} bytes, more than {LARGEST_WHEEL}"
    names = zipfile.ZipFile(path).namelist()
    sources = [n for n in names if n.endswith((".c", ".h", ".pyx", ".pxi", ".def"))]
    assert not sources, f"the wheel holds sources: {sources}"
    assert "cygrad/py.typed" in names and "cygrad/data/digits.npz" in names
    metadata = zipfile.ZipFile(path).read(next(n for n in names if n.endswith("METADATA"))).decode()
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert required == ["Requires-Dist: numpy>=2.0"], required
    print(f"{path.name}: {size / 2**20:.2f} MiB")


def check_sdist(path: Path) -> None:
    with tarfile.open(path) as archive:
        held = {n.partition("/")[2] for n in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
    missing = [n for n in tracked if n and n not in held and not n.startswith(LEFT_OUT_OF_SDIST)]
    assert not missing, f"the sdist lacks {missing}"


folder = Path(sys.argv[1])
check_wheel(next(folder.glob("*.whl")))
check_sdist(next(folder.glob("*.tar.gz")))
