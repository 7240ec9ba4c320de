"""Distributions: the sdist contains all tracked files, the package requires only NumPy, importing it imports little, and the
wheel's size limit has one value."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import cygrad

ROOT = Path(__file__).parents[1]
SEEN = "import sys, numpy; before = set(sys.modules); import cygrad; print(*sorted(set(sys.modules) - before))"
LEFT_OUT_OF_SDIST = (".ci/", ".github/", ".gitignore")


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_import_brings_in_nothing_heavy():
    done = run(sys.executable, "-c", SEEN)
    assert done.returncode == 0, done.stderr
    imported = {name.partition(".")[0] for name in done.stdout.split()}
    heavy = {
        "torch",
        "sklearn",
        "tqdm",
        "safetensors",
        "scipy",
        "argparse",
        "csv",
        "logging",
        "multiprocessing",
        "asyncio",
    }
    assert not imported & heavy
    assert not [name for name in done.stdout.split() if name.startswith("cygrad.cli")]


@pytest.mark.skipif(not (ROOT / ".ci").exists(), reason="the checks of a release are not next to the tests")
def test_pages_name_the_limit_of_the_wheel():
    limit = re.search(r"^LARGEST_WHEEL = ([\d.]+)", (ROOT / ".ci/check_dist.py").read_text(), re.MULTILINE)[1]
    for page in "README.md", "docs/roadmap.md":
        sizes = re.findall(r"([\d.]+) MB", (ROOT / page).read_text(encoding="utf-8"))
        assert limit in sizes, f"{page} does not name the limit of {limit} MB"


def test_only_numpy_is_required():
    required = importlib.metadata.requires("cygrad")
    assert [line for line in required if "extra ==" not in line] == ["numpy>=2.0"]


def test_types_and_data_are_installed():
    package = Path(cygrad.__file__).parent
    for name in ("py.typed", "_kernels.pyi", "data/digits.npz"):
        assert (package / name).is_file(), name


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_sdist_holds_what_is_tracked(tmp_path):
    tracked = run("git", "ls-files", "-z", cwd=ROOT)
    if tracked.returncode:
        pytest.skip("git ls-files failed")
    pytest.importorskip("Cython", reason="setup.py needs Cython")
    pytest.importorskip("setuptools")
    egg_info = ("egg_info", "--egg-base", str(tmp_path))
    made = run(sys.executable, "setup.py", "-q", *egg_info, "sdist", "-d", str(tmp_path), cwd=ROOT)
    assert made.returncode == 0, made.stderr
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {name for name in tracked.stdout.split("\0") if name and (ROOT / name).exists()}
    assert not {name for name in wanted - packed if not name.startswith(LEFT_OUT_OF_SDIST)}
    built = (".so", ".pyd", ".o", "_blocks.pxd", "_activations.pxi", "_kernels.c", "engine.c")
    assert not {name for name in packed if name.endswith(built)}
