"""Writes the type stub of cygrad._kernels from its Cython source, for setup.py.

Parameters without a C type are arrays, unless UNTYPED or the body says otherwise. Results are inferred from the return
statements: from the types of variables, and of the C functions that are called. What can't be inferred is Any.

    python tools/make_kernel_stub.py          write the stub
    python tools/make_kernel_stub.py --check  fail if it is missing or stale
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "cygrad"
STUB = PACKAGE / "_kernels.pyi"
HEADER = """# Made by tools/make_kernel_stub.py; do not edit.
from collections.abc import Callable, Sequence
from typing import Any

from cygrad._typing import Array, DType
"""
TYPES = {
    **dict.fromkeys(["int", "int64_t", "uint64_t", "size_t", "Py_ssize_t", "unsigned long"], "int"),
    **dict.fromkeys(["double", "float"], "float"),
    "bint": "bool",
    "dict": "dict[Any, Any]",
    "list": "list[Any]",
    "ndarray": "Array",
    "object": "Any",
    "str": "str",
    "tuple": "tuple[Any, ...]",
}
UNTYPED = {
    **dict.fromkeys(["message", "name", "op", "padding"], "str"),
    **dict.fromkeys(["draws", "limit", "row"], "int"),
    **dict.fromkeys(["running_mean", "running_var"], "Array | None"),
    **dict.fromkeys(["function", "make", "otherwise"], "Callable[..., Any]"),
    "args": "Sequence[Any]",
    "dtype": "DType",
    "new": "Tape | None",
    "order": "Sequence[int] | None",
    "shape": "Sequence[int]",
}
REQUIRED_LISTS = {"p", "g", "gradients", "weights"}  # other lists of arrays may be None
FUNCTION = re.compile(r"^ *def (\w+)\((.*?)\):", re.S)
C_FUNCTION = re.compile(r"^ *cdef (?:inline )?([\w ]+?) \*?(\w+)\((?:[^()]|\([^()]*\))*\)[^\n=]*:\n", re.S)
C_CLASS = re.compile(r"^cdef class (\w+)(?:\((\w+)\))?:")


def source() -> str:
    """The text of the extension, included files in their order, without comments."""
    text = (PACKAGE / "_kernels.pyx").read_text(encoding="utf-8")
    included = re.sub(
        r'^include "(.*)"$', lambda match: (PACKAGE / match[1]).read_text(encoding="utf-8"), text, flags=re.M
    )
    return re.sub(r"^ *#.*\n", "", included, flags=re.M)


def blocks(text: str, indent: int) -> list[str]:
    """The definitions at one indentation, each with its body and decorator."""
    lines, result = text.splitlines(keepends=True), []
    for line in lines:
        depth = len(line) - len(line.lstrip(" "))
        if depth == indent and line.strip() and not line.lstrip().startswith(")"):
            joins = result and re.fullmatch(r" *@\w+(\.\w+)?\n", result[-1])
            if joins:
                result[-1] += line
            else:
                result.append(line)
        elif result:
            result[-1] += line
    return result


class Types:
    """The types of the C functions of the source, by which results are inferred."""

    def __init__(self, functions: list[str]) -> None:
        self.bodies = {match[2]: block for block in functions if (match := C_FUNCTION.match(block))}
        self.python = {match[1]: block for block in functions if (match := FUNCTION.match(block))}
        self.types = {match[2]: match[1] for block in functions if (match := C_FUNCTION.match(block))}

    def may_be_none(self, name: str, block: str) -> bool:
        """Whether a function, or a C function that it passes the variable to, asks whether the variable is None."""
        if re.search(rf"\b{name} is (not )?None\b", block):
            return True
        for function, arguments in re.findall(r"(\w+)\(((?:[^()]|\([^()]*\))*)\)", block.partition("\n")[2]):
            passed = top_level(arguments)
            if function in self.bodies and name in passed:
                head = re.search(rf"\b{function}\(((?:[^()]|\([^()]*\))*)\)", self.bodies[function])
                assert head is not None
                parameter = top_level(head[1])[passed.index(name)].partition("=")[0].split()[-1]
                if self.may_be_none(parameter, self.bodies[function]):
                    return True
        return False

    def result(self, block: str) -> str:
        """The type of a function's results."""
        returns = re.findall(r"^ +return\b *(.*(?:\n {9,}.*)*)$", block, flags=re.M)
        kinds = list(dict.fromkeys([self.expression(text.split("  # ")[0].strip(), block) for text in returns]))
        if "Any" in kinds or not kinds:
            return "Any" if kinds else "None"
        return " | ".join(sorted(kinds, key=lambda kind: kind == "None"))

    def expression(self, text: str, block: str) -> str:
        """The type of an expression in the body of a function."""
        parts = top_level(text)
        if len(parts) > 1:
            return f"tuple[{', '.join([self.expression(part, block) for part in parts])}]"
        if text in ("", "None"):
            return "None"
        choice = re.fullmatch(r"([^(]*?\(?.*?) if .* else (None)", text, re.S)
        if choice:
            kind = self.expression(choice[1].strip(), block)
            return kind if kind == "Any" else f"{kind} | None"
        call = re.fullmatch(r"(\w+)\(.*\)(\[0\])?", text, re.S)
        if call:
            return self.call(call[1], bool(call[2]))
        return self.variable(text, block) if text.isidentifier() else literal(text)

    def call(self, name: str, first: bool) -> str:
        kind = self.types.get(name, "")
        if kind == "tuple":
            inferred = self.result(self.bodies[name])
            parts = top_level(inferred.removeprefix("tuple[").removesuffix("]"))
            return parts[0] if first else inferred
        if name in self.python:
            return self.result(self.python[name])
        return {"bool": "bool", "cg_num_threads": "int", "len": "int"}.get(name) or TYPES.get(kind, "Any")

    def variable(self, name: str, block: str) -> str:
        """The type that a variable or a parameter is declared with."""
        for kind, names in re.findall(r"^ +cdef (\w+) (.*(?:\n {9,}.*)*)$", block, flags=re.M):
            for declaration in top_level(names):
                variable, _, value = declaration.partition("=")
                if variable.strip() == name:
                    optional = value.strip() == "None" or value.strip().endswith("else None")
                    return TYPES.get(kind, "Any") + (" | None" if optional and kind == "ndarray" else "")
        kind = re.search(rf"[(,] *(\w+) {name}\b[^()]*\).*:", block.partition("\n    ")[0])
        if kind:
            return TYPES.get(kind[1], "Any")
        assigned = re.search(rf"^ +{name} = (.*)$", block, flags=re.M)
        return self.expression(assigned[1], block) if assigned else "Any"


def literal(text: str) -> str:
    """The type of an expression that says it itself."""
    if text.startswith(("[", "{")):
        return "dict[str, int]" if text[0] == "{" else "list[str]" if ".decode()" in text else "list[Any]"
    if text.startswith(("<ndarray>", "np.ascontiguousarray(", "np.array(")):
        return "Array"
    if text.endswith(".decode()") and text[0] != "[":
        return "str"
    if text in ("True", "False") or text.startswith("bool("):
        return "bool"
    return "int" if re.search(r"//|\.shape\[|<size_t>|<int64_t", text) else "Any"


def top_level(text: str) -> list[str]:
    """The parts of a text between the commas that no bracket encloses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def parameters(arguments: str, block: str, types: Types) -> str:
    """The parameters of a function with their types in Python."""
    return ", ".join([parameter(text, block, types) for text in top_level(arguments) if text])


def parameter(text: str, block: str, types: Types) -> str:
    declaration, _, default = (part.strip() for part in text.partition("="))
    kind, _, name = declaration.rpartition(" ")
    if name == "self" or name.startswith("*"):
        return name if name == "self" else f"{name}: Any"
    annotation = TYPES.get(kind, "Any") if kind else untyped(name, default, block, types)
    if not default:
        return f"{name}: {annotation}"
    return f"{name}: {annotation} = {default if re.fullmatch('None|True|False|-?[0-9.]+', default) else '...'}"


def untyped(name: str, default: str, block: str, types: Types) -> str:
    """The type of a parameter that may be any object to Cython."""
    known = UNTYPED.get(name)
    if known:
        return known
    listed = "Many(" in block
    optional = default == "None" or types.may_be_none(name, block) or (listed and name not in REQUIRED_LISTS)
    return ("Sequence[Array]" if listed else "Array") + (" | None" if optional else "")


def function_stub(block: str, types: Types) -> str:
    """The stub of one function or property."""
    head = block[: block.index("def ")]
    match = FUNCTION.match(block[len(head) :])
    assert match is not None, block
    name, arguments = match[1].replace("__cinit__", "__init__"), " ".join(match[2].split())
    result = "None" if name in ("__init__", "__setitem__") else types.result(block)
    return f"{head}def {name}({parameters(arguments, block, types)}) -> {result}: ...\n"


def attributes(name: str) -> list[str]:
    """The attributes of a class that _kernels.pxd opens to Python."""
    text = (PACKAGE / "_kernels.pxd").read_text(encoding="utf-8")
    block = next((block for block in blocks(text, 0) if re.match(rf"cdef class {name}\b", block)), "")
    declared = re.findall(r"^    cdef (?:public|readonly) (\w+) (.*)$", block, flags=re.M)
    return [f"    {name.strip()}: {TYPES.get(kind, 'Any')}\n" for kind, names in declared for name in names.split(",")]


def class_stub(block: str, types: Types) -> str:
    match = C_CLASS.match(block)
    assert match is not None
    lines = [f"class {match[1]}{f'({match[2]})' if match[2] else ''}:\n", *attributes(match[1])]
    for member in blocks(block.partition("\n")[2], 4):
        if re.search(r"^ +def (?!__dealloc__|__repr__)", member, re.M):
            lines.append(function_stub(member, types))
    return "".join(lines) if len(lines) > 1 else lines[0].rstrip() + " ...\n"


def stub() -> str:
    """The text of the stub."""
    everything = blocks(source(), 0)
    types = Types(everything)
    functions = [function_stub(b, types) for b in everything if b.startswith("def ")]
    classes = [class_stub(b, types) for b in everything if C_CLASS.match(b)]
    return "\n".join([HEADER, "".join(functions), *classes])


def is_stale() -> bool:
    return not STUB.exists() or STUB.read_text(encoding="utf-8") != stub()


def write() -> None:
    """Write the stub if it is missing or stale."""
    if is_stale():
        STUB.write_text(stub(), encoding="utf-8")


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(f"stale: {STUB}" if is_stale() else 0)
    write()
