"""Generates Cython code from csrc/kernels.def: declarations of all argument blocks, and the wrappers of activations.

setup.py calls `write_all()` before a build. What it writes is not tracked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DECLARATIONS = ROOT / "src/cygrad/_blocks.pxd"
WRAPPERS = ROOT / "src/cygrad/_activations.pxi"


class Kernel(NamedTuple):
    """A line of kernels.def; `arguments` are (kind, name)."""

    name: str
    walk: str
    arguments: list[tuple[str, str]]

    @property
    def pattern(self) -> str:
        """The arguments before the scalars, as one string, if the rest is scalars only."""
        kinds = [kind for kind, _ in self.arguments]
        count = kinds.index("S") if "S" in kinds else len(kinds)
        plain = all([kind == "S" for kind in kinds[count:]])
        return " ".join([f"{kind}({name})" for kind, name in self.arguments[:count]]) if plain else ""

    @property
    def scalars(self) -> list[str]:
        return [name for kind, name in self.arguments if kind == "S"]


def top_level_parts(text: str) -> Iterator[str]:
    """The parts between commas that are not in parentheses."""
    depth = start = 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            yield text[start:i].strip()
            start = i + 1
    yield text[start:].strip()


def read_table() -> tuple[dict[str, str], list[Kernel]]:
    """The C type of each kind of argument, and the kernels."""
    source = re.sub(r"/\*.*?\*/", "", (ROOT / "csrc/kernels.def").read_text(encoding="utf-8"), flags=re.S)
    types = dict(re.findall(r"#define (\w+)\(\w\)\s+FIELD\((.*?), \w,", source))
    kernels = []
    for text in re.split(r"^KERNEL\(", source, flags=re.M)[1:]:
        name, walk, _, _, arguments = top_level_parts(text[: text.rindex(")")])
        kernels.append(Kernel(name, walk, re.findall(r"(\w+)\((\w+)\)", arguments)))
    return types, kernels


def declarations(types: dict[str, str], kernels: list[Kernel]) -> Iterator[str]:
    """Declares all kernels and argument blocks to Cython, which has no `void *const *`."""
    yield "# Generated from csrc/kernels.def by csrc/kernel_table.py."
    yield "from libc.stdint cimport int64_t, uint64_t\n"
    yield 'cdef extern from "kernels.h":'
    for kernel in kernels:
        yield f"    enum: CG_{kernel.name}"
        yield f"    ctypedef struct cg_{kernel.name}_args:"
        for kind, name in kernel.arguments:
            yield f"        {types[kind].replace('*const *', '**')} {name}"


FORWARD = '''
def {name}(x{parameters}):
    """y = {name}(x), elementwise."""
    cdef ndarray source = real("{name}", "input", x), y = empty_like(source)
    cdef cg_{name}_args args = cg_{name}_args(y=data(y), x=data(source), n=size(y){values})
    launch(CG_{name}, dtype_of(y), &args)
    return y
'''

BACKWARD = '''
def {name}_backward(dy, {saved}{parameters}):
    """dx of {name}, from its {saved}."""
    cdef ndarray v = real("{name}", "{saved}", {saved}), g = like("{name}", "gradient", dy, "{saved}", v)
    cdef ndarray dx = empty_like(v)
    cdef cg_{name}_backward_args args = cg_{name}_backward_args(
        dx=data(dx), dy=data(g), {saved}=data(v), n=size(dx){values})
    launch(CG_{name}_backward, dtype_of(dx), &args)
    return dx
'''

SLOPED = '''
def {name}(x):
    """y = {name}(x), elementwise."""
    return {name}_of(x, False)[0]


def {name}_with_slope(x):
    """(y, dy/dx) of {name}."""
    return {name}_of(x, True)


cdef tuple {name}_of(object x, bint want_slope):
    cdef ndarray source = real("{name}", "input", x), y = empty_like(source)
    cdef ndarray slope = empty_like(source) if want_slope else None
    cdef cg_{name}_args args = cg_{name}_args(y=data(y), slope=optional(slope), x=data(source), n=size(y))
    launch(CG_{name}, dtype_of(y), &args)
    return y, slope
'''

TEMPLATES = {
    "OUT(y) IN(x) N(n)": FORWARD,
    "OUT(y) OUT(slope) IN(x) N(n)": SLOPED,
    "OUT(dx) IN(dy) IN(input) N(n)": BACKWARD,
    "OUT(dx) IN(dy) IN(output) N(n)": BACKWARD,
}


def wrappers(kernels: list[Kernel]) -> Iterator[str]:
    """Wrappers of the kernels that work element by element and whose arguments have one of the forms above."""
    yield "# Generated from csrc/kernels.def by csrc/kernel_table.py."
    for kernel in kernels:
        if kernel.walk == "EACH" and kernel.pattern in TEMPLATES:
            yield TEMPLATES[kernel.pattern].format(
                name=kernel.name.removesuffix("_backward"),
                saved=kernel.arguments[2][1],
                parameters="".join([f", double {name}" for name in kernel.scalars]),
                values="".join([f", {name}={name}" for name in kernel.scalars]),
            )


def write(path: Path, lines: Iterator[str]) -> None:
    """Writes a file unless it is the same, so that its time stays."""
    text = "\n".join(lines) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def write_all() -> None:
    types, kernels = read_table()
    write(DECLARATIONS, declarations(types, kernels))
    write(WRAPPERS, wrappers(kernels))
