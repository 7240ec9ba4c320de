"""Distributions: the sdist contains all tracked files, the package requires only NumPy, importing it imports little, and the
wheel's size limit has one value."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
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
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)


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


@pytest.mark.skipif(not (ROOT / ".ci").exists(), reason="the checks of a release are not next to the tests")
@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF libraries")
def test_modules_are_hardened():
    hardening = runpy.run_path(str(ROOT / ".ci/check_dist.py"))["hardening"]
    for path in Path(cygrad.__file__).parent.rglob("*.so"):
        assert all(hardening(path.read_bytes()).values()), f"{path.name}: {hardening(path.read_bytes())}"


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


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.skipif(not WORKFLOWS, reason="the workflows are not next to the tests")
def test_every_action_is_pinned_to_a_commit_and_names_its_version():
    for path in WORKFLOWS:
        for use in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8")):
            assert use.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", use), f"{path.name}: {use}"


@pytest.mark.skipif(not WORKFLOWS, reason="the workflows are not next to the tests")
def test_one_action_has_one_version():
    uses = [use for path in WORKFLOWS for use in re.findall(r"uses: ([\w.-]+/[\w.-]+)\S*@(\S+)", path.read_text(encoding="utf-8"))]
    assert len({action for action, _ in uses}) == len(set(uses))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_unless_a_job_says_otherwise(path):
    text = path.read_text(encoding="utf-8")
    assert re.search(r"^permissions:\n  contents: read\n", text, re.MULTILINE), path.name
    for line in re.findall(r"^.*: write.*$", text, re.MULTILINE):
        assert line.startswith("      "), f"{path.name}: {line.strip()} holds for all jobs"


@pytest.mark.skipif(not (ROOT / ".ci").exists(), reason="the pinned requirements are not next to the tests")
def test_build_requirements_are_pinned_by_hash():
    wanted = re.search(r"^requires = \[(.*)\]", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    pins = (ROOT / ".ci" / "build-requirements.txt").read_text(encoding="utf-8")
    for name, least in re.findall(r'"([\w-]+)>=([\d.]+)"', wanted):
        found = re.findall(rf"^{name}==([\d.]+).* \\\n    --hash=sha256:", pins, re.MULTILINE | re.IGNORECASE)
        assert found, f"{name} is not pinned"
        for version in found:
            assert tuple(map(int, version.split("."))) >= tuple(map(int, least.split("."))), f"{name}=={version}"
    assert len(re.findall(r"^[\w-]+==", pins, re.MULTILINE)) == len(re.findall(r"^[\w-]+==.*\n    --hash", pins, re.MULTILINE))
