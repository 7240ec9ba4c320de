"""Checks what would be published: the wheel's size and contents, and that the sdist holds every tracked file."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

LARGEST_WHEEL = 1.8  # MB; README.md and docs/roadmap.md name it too, which tests/test_packaging.py compares
LEFT_OUT_OF_SDIST = (".ci/", ".github/", ".gitignore")


def check_wheel(path: Path) -> None:
    size = path.stat().st_size / 1e6
    assert size <= LARGEST_WHEEL, f"{path.name} is {size:.2f} MB, but the limit is {LARGEST_WHEEL}"
    names = zipfile.ZipFile(path).namelist()
    sources = [n for n in names if n.endswith((".c", ".h", ".pyx", ".pxi", ".def"))]
    assert not sources, f"{path.name} contains sources: {sources}"
    assert "cygrad/py.typed" in names and "cygrad/data/digits.npz" in names
    metadata = zipfile.ZipFile(path).read(next(n for n in names if n.endswith("METADATA"))).decode()
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert required == ["Requires-Dist: numpy>=2.0"], required
    print(f"{path.name}: {size:.2f} MB")


def check_sdist(path: Path) -> None:
    with tarfile.open(path) as archive:
        packed = {n.partition("/")[2] for n in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
    missing = [n for n in tracked if n and n not in packed and not n.startswith(LEFT_OUT_OF_SDIST)]
    assert not missing, f"{path.name} lacks {missing}"


folder = Path(sys.argv[1])
check_wheel(next(folder.glob("*.whl")))
check_sdist(next(folder.glob("*.tar.gz")))
