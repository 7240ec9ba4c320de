"""The house: imports go down its floors and never in a circle; docs/architecture.md lists the same floors."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "cygrad"

pytestmark = pytest.mark.skipif(not PACKAGE.exists(), reason="the sources are not beside the tests")


def floors() -> dict[str, int]:
    """The floor of each room, from the list in docs/architecture.md: the ground floor comes first."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"<!-- floors -->\s*```\n(.*?)```", text, re.DOTALL)
    lines = [line.split(":", 1)[1] for line in block.strip().splitlines()]
    return {room: number for number, line in enumerate(lines) for room in re.findall(r"[\w/]+", line)}


def modules() -> dict[str, Path]:
    """Dotted name → file, for each module of the package."""
    found = {}
    for path in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyx")]:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of the package that a module imports anywhere in its text, for types alone too."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".pyx":  # Cython's own statements are left out
        text = "\n".join(re.findall(r"^(?:from cygrad[\w.]* import .*|import cygrad.*)$", text, re.MULTILINE))
    targets = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            targets |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            targets |= {i if i in known else node.module for i in inner}
    return {t for t in targets if t in known and t != name}


def room(name: str) -> str:
    """The room of a module: its folder or file directly below the package."""
    return name.split(".")[1] if "." in name else "__init__"


KNOWN = modules() if PACKAGE.exists() else {}
IMPORTS = {name: imports(name, path, KNOWN) for name, path in KNOWN.items()}


def test_every_room_has_a_floor():
    assert {room(name) for name in KNOWN} == set(floors())


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_imports_go_down(name):
    floor = floors()
    climbs = [t for t in IMPORTS[name] if room(t) != room(name) and floor[room(t)] >= floor[room(name)]]
    assert not climbs, f"{name} (floor {floor[room(name)]}) imports {climbs}"


def test_no_import_circle():
    """A package's own __init__ only gathers names, so an import of the package counts as one of its __init__."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " → ".join([*path[path.index(name) :], name])
        if name not in done:
            for target in sorted(IMPORTS[name]):
                visit(target, (*path, name))
            done.add(name)

    for name in sorted(KNOWN):
        visit(name, ())
