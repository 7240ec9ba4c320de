"""Distributions: the sdist contains all tracked files, the package requires only NumPy, importing it imports little, and the
wheel's size limit has one value."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import re
import runpy
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile
import zlib
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
    later = {"cygrad.cli", "cygrad.serialization", "cygrad.parallel", "cygrad.nn.modules.loss", "cygrad.optim.adam"}
    assert not later & set(done.stdout.split())


FOLDERS = {
    cygrad: "cygrad",
    cygrad.nn: "cygrad.nn.modules",
    cygrad.nn.functional: "cygrad.nn.functional",
    cygrad.optim: "cygrad.optim",
}


@pytest.mark.parametrize("package", FOLDERS, ids=lambda package: package.__name__)
def test_the_list_of_names_that_are_imported_later_is_that_of_their_files(package):
    """A file is listed with all its names; those below `cygrad` may have more, for the package itself."""
    files = package.NAMES if package is cygrad else package.FILES
    for file in set(files.values()):
        listed = {name for name in files if files[name] == file and name[0] != "_"}
        own = set(importlib.import_module(f"{FOLDERS[package]}.{file}").__all__)
        assert listed == own or (package is cygrad and listed <= own)
    assert all(getattr(package, name) is not None for name in files)


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


RECORD = "small-1.0.dist-info/RECORD"
MEMBERS = {
    "small/__init__.py": b"answer = 42\n" * 500,
    "small/library.so": bytes(range(256)) * 40 + b"tail" * 700,
    "small/noise.bin": hashlib.shake_256(b"seed").digest(5000),
    "small/empty.typed": b"",
    "small/naïve.txt": b"a",
    "small-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: small\nVersion: 1.0\n",
    "small-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}


class Pipe:
    """A file that can't seek, so that zipfile writes the size of a member after its data."""

    def __init__(self, file):
        self.write, self.flush = file.write, file.flush


def small_wheel(path: Path, streamed: bool) -> None:
    hashes = {name: base64.urlsafe_b64encode(hashlib.sha256(data).digest()) for name, data in MEMBERS.items()}
    rows = [f"{name},sha256={hashes[name].decode().rstrip('=')},{len(data)}\n" for name, data in MEMBERS.items()]
    files = {**MEMBERS, RECORD: "".join([*rows, f"{RECORD},,\n"]).encode()}
    with path.open("wb") as file, zipfile.ZipFile(Pipe(file) if streamed else file, "w") as archive:
        for day, (name, data) in enumerate(files.items(), 1):
            member = zipfile.ZipInfo(name, (2001, 2, day, 4, 5, 6))
            member.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
            archive.writestr(member, data, zipfile.ZIP_DEFLATED)


def described(path: Path) -> list[tuple]:
    with zipfile.ZipFile(path) as archive:
        kept = ("filename", "date_time", "external_attr", "create_system", "CRC", "file_size")
        return [(*[getattr(member, name) for name in kept], archive.read(member)) for member in archive.infolist()]


def check_streams(path: Path) -> None:
    """Check what Python's zipfile does not: the header beside each member, and that its data ends where it says."""
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            sizes = member.CRC, member.compress_size, member.file_size
            *header, name, extra = struct.unpack_from("<III HH", data, member.header_offset + 14)
            assert tuple(header) == sizes, member.filename
            if member.compress_type == zipfile.ZIP_DEFLATED:
                start = member.header_offset + 30 + name + extra
                stream = zlib.decompressobj(-zlib.MAX_WBITS)
                stream.decompress(data[start : start + member.compress_size])
                assert stream.eof and not stream.unused_data, member.filename


@pytest.mark.skipif(not (ROOT / "tools").exists(), reason="the tools are not next to the tests")
@pytest.mark.parametrize("streamed", [False, True])
def test_a_recompressed_wheel_holds_the_same_files(tmp_path, streamed):
    pytest.importorskip("zopfli")
    recompress = runpy.run_path(str(ROOT / "tools/recompress_wheel.py"))["recompress"]
    wheel = tmp_path / "small-1.0-py3-none-any.whl"
    small_wheel(wheel, streamed)
    before, size = described(wheel), wheel.stat().st_size
    recompress(wheel)
    check_streams(wheel)
    assert described(wheel) == before and wheel.stat().st_size < size
    data = wheel.read_bytes()
    recompress(wheel)
    assert wheel.read_bytes() == data and list(tmp_path.iterdir()) == [wheel]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of setuptools, where PyTorch has imported distutils
        has_pip = importlib.util.find_spec("pip")
    if has_pip:
        options = ("--no-deps", "--no-index", "--disable-pip-version-check", "--target", str(tmp_path / "site"))
        done = run(sys.executable, "-m", "pip", "install", *options, str(wheel))
        assert done.returncode == 0, done.stderr
        assert all((tmp_path / "site" / name).read_bytes() == content for name, content in MEMBERS.items())


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_sdist_holds_what_is_tracked(tmp_path):
    tracked = run("git", "ls-files", "-z", cwd=ROOT)
    if tracked.returncode:
        pytest.skip("git ls-files failed")
    if not all(map(importlib.util.find_spec, ("Cython", "setuptools"))):
        pytest.skip("setup.py needs Cython and setuptools")
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
            assert use.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*", use), (
                f"{path.name}: {use}"
            )


@pytest.mark.skipif(not WORKFLOWS, reason="the workflows are not next to the tests")
def test_one_action_has_one_version():
    uses = [
        use
        for path in WORKFLOWS
        for use in re.findall(r"uses: ([\w.-]+/[\w.-]+)\S*@(\S+)", path.read_text(encoding="utf-8"))
    ]
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
    assert len(re.findall(r"^[\w-]+==", pins, re.MULTILINE)) == len(
        re.findall(r"^[\w-]+==.*\n    --hash", pins, re.MULTILINE)
    )
