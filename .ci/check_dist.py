"""Checks what would be published: the wheel's size, contents and hardening; that the sdist holds every tracked file."""

from __future__ import annotations

import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

LARGEST_WHEEL = 2.5  # MB; README.md and docs/roadmap.md name it too, which tests/test_packaging.py compares
LEFT_OUT_OF_SDIST = (".ci/", ".github/", ".gitignore")


# Of elf.h: types of program headers and tags of the dynamic section
GNU_STACK, GNU_RELRO, DYNAMIC = 0x6474E551, 0x6474E552, 2
EXECUTABLE, BIND_NOW, FLAGS, NOW = 1, 24, 30, 8


def hardening(library: bytes) -> dict[str, bool]:
    """What protects a 64-bit ELF library: see HARDENED in csrc/build_flags.py."""
    start, size, count = struct.unpack_from("<Q14xHH", library, 32)
    headers = {}
    for i in range(count):
        kind, flags, offset, _, _, length = struct.unpack_from("<IIQQQQ", library, start + i * size)
        headers[kind] = flags, library[offset : offset + length]
    tags = dict(struct.iter_unpack("<QQ", headers[DYNAMIC][1]))
    return {
        "a read-only table of functions": GNU_RELRO in headers,
        "binding at load": BIND_NOW in tags or bool(tags.get(FLAGS, 0) & NOW),
        "a stack that can't be run": GNU_STACK in headers and not headers[GNU_STACK][0] & EXECUTABLE,
        "a stack protector": b"__stack_chk_fail" in library,
    }


def check_hardening(wheel: zipfile.ZipFile) -> None:
    libraries = {name: wheel.read(name) for name in wheel.namelist() if name.endswith(".so")}
    for name, library in libraries.items():
        if library.startswith(b"\x7fELF\x02"):
            missing = [what for what, present in hardening(library).items() if not present]
            assert not missing, f"{name} lacks {', '.join(missing)}"
    kernels = next(library for name, library in libraries.items() if "/_kernels." in name)
    assert b"__memcpy_chk" in kernels or not kernels.startswith(b"\x7fELF"), "_kernels is built without _FORTIFY_SOURCE"


def check_wheel(path: Path) -> None:
    size = path.stat().st_size / 1e6
    assert size <= LARGEST_WHEEL, f"{path.name} is {size:.2f} MB, but the limit is {LARGEST_WHEEL}"
    names = zipfile.ZipFile(path).namelist()
    sources = [n for n in names if n.endswith((".c", ".h", ".pyx", ".pxi", ".def"))]
    assert not sources, f"{path.name} contains sources: {sources}"
    check_hardening(zipfile.ZipFile(path))
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


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    check_wheel(next(folder.glob("*.whl")))
    check_sdist(next(folder.glob("*.tar.gz")))
