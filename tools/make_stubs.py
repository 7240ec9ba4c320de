"""Writes the type stubs that setup.py builds: signatures that type checkers can't infer from the source.

An op is written as a forward function on arrays, ``def relu(ctx: Node, input: Array) -> Array``, and called with
tensors, ``cg.relu(x)`` or ``x.relu()``. No decorator's type expresses that, so a stub states the signature of the call:
``ctx`` is dropped, arrays become tensors, options can be passed by position or by name. Stubs are written for

- every module of ``cygrad/ops`` that defines an op, and
- ``cygrad/methods.py``, the ops and functions that are methods of a tensor.

Stubs are built, not checked in. Every checkout that runs has been built, so editors see the stubs there as they do in a
wheel; they cannot go stale between two branches; and adding an op changes no further file. Everything here reads the
source with ``ast``: setup.py runs this before the package can be imported.

    python tools/make_stubs.py          write the stubs
    python tools/make_stubs.py --check  fail if one is missing or stale
"""

from __future__ import annotations

import ast
import copy
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "cygrad"
HEADER = "# Made by tools/make_stubs.py; do not edit."


class Module:
    """The source of one module: what it imports and what it defines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        self.tree = ast.parse(path.read_text(encoding="utf-8"))

    @cached_property
    def imports(self) -> dict[str, tuple[str, str]]:
        """Imported name: (module, name in it, or "" for the module itself)."""
        result = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                result.update({a.asname or a.name: (node.module or "", a.name) for a in node.names})
            elif isinstance(node, ast.Import):
                result.update({a.asname or a.name: (a.name, "") for a in node.names})
        return result

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """The functions of the module, of overloaded ones the implementation."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    @cached_property
    def values(self) -> dict[str, ast.expr]:
        """The module's constants and aliases."""
        result = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign):
                result.update({target.id: node.value for target in node.targets if isinstance(target, ast.Name)})
        return result

    @property
    def defined(self) -> set[str]:
        """The names of the module's classes, functions and values."""
        classes = {node.name for node in self.tree.body if isinstance(node, ast.ClassDef)}
        return classes | set(self.functions) | set(self.values)

    def found(self, name: str) -> tuple[Module, list[ast.FunctionDef]]:
        """The module that defines a public name, perhaps under another, and its signatures."""
        value = self.values.get(name)
        if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name):
            return load(*self.imports[value.value.id]).found(value.attr)
        return self, self.signatures(name)

    def signatures(self, name: str) -> list[ast.FunctionDef]:
        """The signatures of calls of a public name: one, or those of an overloaded function."""
        value = self.values.get(name)
        if isinstance(value, ast.Name):
            return self.signatures(value.id)
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            return [made_by_factory(name, self.forward_in(value.func.id), value)]
        function = self.functions[name]
        if is_decorated(function, "op"):
            return [called_with_tensors(function)]
        overloads = [f for f in self.tree.body if isinstance(f, ast.FunctionDef) and f.name == name]
        overloads = [f for f in overloads if is_decorated(f, "overload")]
        return [stub(f) for f in overloads or [function]]

    def forward_in(self, factory: str) -> ast.FunctionDef:
        """The function called forward inside a factory of ops, or inside that of another module which it calls."""
        function = self.functions[factory]
        for node in ast.walk(function):
            if isinstance(node, ast.FunctionDef) and node.name == "forward":
                return node
        calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
        (other,) = [c for c in calls if isinstance(c, ast.Attribute) and ast.unparse(c.value) in self.imports]
        return load(*self.imports[ast.unparse(other.value)]).forward_in(other.attr)


def is_decorated(function: ast.FunctionDef, name: str) -> bool:
    return any(isinstance(d, ast.Name) and d.id == name for d in function.decorator_list)


def is_op_factory(function: ast.FunctionDef) -> bool:
    """Whether the function builds an op from an inner function called forward."""
    return isinstance(function.returns, ast.Name) and function.returns.id == "Op"


def stub(function: ast.FunctionDef) -> ast.FunctionDef:
    """The function without its body; of its decorators only overload stays."""
    result = copy.deepcopy(function)
    result.body = [ast.Expr(ast.Constant(...))]
    result.decorator_list = [d for d in result.decorator_list if isinstance(d, ast.Name) and d.id == "overload"]
    return result


def made_by_factory(name: str, forward: ast.FunctionDef, call: ast.Call) -> ast.FunctionDef:
    """The call signature of an op that ``name = factory("name", "docstring", ...)`` defines."""
    result = called_with_tensors(forward)
    result.name = name
    texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if len(texts) > 1:
        result.body.insert(0, ast.Expr(ast.Constant(texts[1])))
    return result


def called_with_tensors(forward: ast.FunctionDef) -> ast.FunctionDef:
    """The signature of an op's call, from that of its forward function; ``Op.__init__`` has the same rules."""
    result = stub(forward)
    arguments = result.args
    names = arguments.posonlyargs + arguments.args
    inputs = arguments.posonlyargs[1:] or arguments.args[1:]
    for argument in [*inputs, *([arguments.vararg] if arguments.vararg else [])]:
        argument.annotation = tensor_type(argument.annotation, "Operand")
    for argument, default in zip(reversed(inputs), reversed(arguments.defaults if inputs[-1:] == names[-1:] else [])):
        optional = isinstance(default, ast.Constant) and default.value is None
        if optional and "None" not in ast.unparse(argument.annotation):
            argument.annotation = ast.BinOp(argument.annotation, ast.BitOr(), ast.Constant(None))
    result.returns = tensor_type(result.returns, "Tensor")
    defaults = [None] * (len(names) - len(arguments.defaults)) + arguments.defaults
    pairs = list(zip(names, defaults))[1:]
    if not arguments.vararg and not forward.args.posonlyargs:
        options = list(zip(arguments.kwonlyargs, arguments.kw_defaults))
        optional = [default is not None for _, default in pairs + options]
        if optional == sorted(optional):  # Python has no required parameter behind an optional one
            pairs += options
            arguments.kwonlyargs, arguments.kw_defaults = [], []
    arguments.posonlyargs, arguments.args = [], [argument for argument, _ in pairs]
    arguments.defaults = [default for _, default in pairs if default is not None]
    return result


class TensorNames(ast.NodeTransformer):
    """Replaces Array by Tensor, and Any by the type of an operand."""

    def __init__(self, operand: str) -> None:
        self.names = {"Array": "Tensor", "Any": operand}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names.get(node.id, node.id))


def tensor_type(annotation: ast.expr | None, operand: str) -> ast.expr:
    return TensorNames(operand).visit(annotation or ast.Name("Any"))


def public(node: ast.stmt) -> bool:
    """Whether a function is called from outside: gradient rules are named _ and decorated with @name.gradient."""
    return isinstance(node, ast.FunctionDef) and not any(isinstance(d, ast.Attribute) for d in node.decorator_list)


def ops_stub(module: Module) -> str | None:
    """The stub of a module of ops, None if the module defines no op."""
    functions = module.functions.values()
    if not any(is_decorated(f, "op") or is_op_factory(f) for f in functions):
        return None
    lines: list[ast.stmt] = []
    for node in module.tree.body:
        if public(node):
            lines += module.signatures(node.name)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                lines += value_stub(module, target, node.value)
        elif isinstance(node, ast.AnnAssign):
            lines.append(ast.AnnAssign(node.target, node.annotation, None, 1))
    return render(module, lines, [module])


def value_stub(module: Module, target: ast.expr, value: ast.expr) -> Iterator[ast.stmt]:
    """A module's constant, alias, or op made by a factory."""
    if not isinstance(target, ast.Name):
        return
    if target.id == "__all__":
        yield ast.Assign([target], value, lineno=0)
        return
    factory = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and module.functions.get(value.func.id)
    if factory and is_op_factory(factory):
        yield from module.signatures(target.id)
    elif isinstance(value, (ast.Name, ast.Subscript)):
        yield ast.Assign([target], value, lineno=0)
    else:
        yield ast.AnnAssign(target, ast.Name(literal_type(value)), None, 1)


def literal_type(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return type(value.value).__name__
    if isinstance(value, ast.BinOp):
        return literal_type(value.left)
    if isinstance(value, ast.Dict) and value.keys and value.keys[0]:
        return f"dict[{literal_type(value.keys[0])}, {literal_type(value.values[0])}]"
    return "Any"


def methods_stub(module: Module) -> str:
    """The stub of methods.py: its operators, and the functions that its tables name."""
    (owner,) = [node for node in module.tree.body if isinstance(node, ast.ClassDef) and node.name == "TensorMethods"]
    modules = {name: load(*imported) for name, imported in module.imports.items() if imported[0].startswith("cygrad")}
    functions = public_functions()
    used = [module]

    def resolve(name: str, source: Module, original: str) -> list[ast.FunctionDef]:
        source, signatures = source.found(original)
        if source not in used:
            used.append(source)
        return [as_method(f, name) for f in signatures]

    body: list[ast.FunctionDef] = []
    for node in owner.body:
        if isinstance(node, ast.Assign) and node.targets[0].id not in ("__slots__", "__hash__"):
            name, value = node.targets[0].id, node.value
            kind = value.func.id if isinstance(value, ast.Call) else ""
            of = value.args[0] if isinstance(value, ast.Call) else value
            found = resolve(name, modules[of.value.id], of.attr)
            body += [in_place(found[0])] if kind == "in_place" else [operator(found[0])] if kind else found
    for name in (*table(module, "METHODS"), *table(module, "IN_PLACE")):
        body += resolve(name, functions[name], name)
    for name in table(module, "IN_PLACE"):
        body += [in_place(f) for f in resolve(f"{name}_", functions[name], name)]
    result = ast.ClassDef(owner.name, owner.bases, [], [*owner.body[:1], *body], [], type_params=[])
    return render(module, [result], used)


def table(module: Module, name: str) -> list[str]:
    """The names in a table, which is a text."""
    return ast.literal_eval(module.values[name]).split()


def public_functions() -> dict[str, Module]:
    """For each public function the module that defines it, as the package ``cygrad.functions`` imports them."""
    only_methods = load("cygrad.functions.only_methods", "")
    result = dict.fromkeys(ast.literal_eval(only_methods.values["__all__"]), only_methods)
    for path in ("__init__", "seldom"):
        for node in ast.walk(Module(PACKAGE / "functions" / f"{path}.py").tree):
            source = load(node.module, "") if isinstance(node, ast.ImportFrom) else None
            if source is not None and source.path.stem != "seldom":
                star = node.names[0].name == "*"
                names = ast.literal_eval(source.values["__all__"]) if star else [a.name for a in node.names]
                result.update(dict.fromkeys(names, source))
    return result


def renamed(functions: list[ast.FunctionDef], name: str) -> list[ast.FunctionDef]:
    result = copy.deepcopy(functions)
    for function in result:
        function.name = name
    return result


def as_method(function: ast.FunctionDef, name: str) -> ast.FunctionDef:
    """The function with its first parameter as self."""
    (result,) = renamed([function], name)
    result.args.args[0] = ast.arg("self")
    return result


def in_place(method: ast.FunctionDef) -> ast.FunctionDef:
    """The method that writes its result into the tensor and returns the tensor."""
    result = operator(method) if method.name.startswith("__") else copy.deepcopy(method)
    result.returns = ast.Name("Self")
    result.body = [ast.Expr(ast.Constant(...))]
    return result


def operator(method: ast.FunctionDef) -> ast.FunctionDef:
    """A Python operator of two operands."""
    other = ast.arg("other", ast.Name("Operand"))
    return ast.FunctionDef(
        method.name,
        ast.arguments([], [ast.arg("self"), other], None, [], [], None, []),
        [ast.Expr(ast.Constant(...))],
        [],
        ast.Name("Tensor"),
        type_params=[],
        lineno=0,
    )


def load(module: str, name: str) -> Module | None:
    """The module that ``from module import name`` or ``import module`` gives, None if that is no module."""
    path = PACKAGE.parent.joinpath(*module.split("."), name) if name else PACKAGE.parent.joinpath(*module.split("."))
    path = path.with_suffix(".py")
    return Module(path) if path.exists() else None


def render(module: Module, lines: list[ast.stmt], sources: list[Module]) -> str:
    """The text of a stub, with an import for each name that its annotations use."""
    known = {name: ("cygrad._typing", name) for name in ("Tensor", "Operand")} | {"Self": ("typing_extensions", "Self")}
    for source in sources:
        elsewhere = {} if source is module else {name: (source.name, name) for name in source.defined}
        known = known | elsewhere | {name: found for name, found in source.imports.items() if name not in known}
    statements = {import_of(name, *known[name]) for name in names_in(lines) if name in known}
    body = "\n".join(ast.unparse(ast.fix_missing_locations(node)) for node in lines)
    body = re.sub(r":\n +\.\.\.", ": ...", body)
    body = re.sub(r"\n\n( +(def|@overload))", r"\n\1", body)
    body = re.sub(r"( +def __(eq|ne)__.*)", r"\1  # type: ignore[override]", body)  # object's take any object
    return "\n".join([HEADER, *sorted(statements), "", body, ""])


def names_in(lines: list[ast.stmt]) -> set[str]:
    """The names that annotations, decorators and base classes use."""
    return {node.id for line in lines for node in ast.walk(line) if isinstance(node, ast.Name)}


def import_of(name: str, module: str, original: str) -> str:
    if not original:
        return f"import {module}" if name == module else f"import {module} as {name}"
    return f"from {module} import {original}" if name == original else f"from {module} import {original} as {name}"


def stubs() -> dict[Path, str]:
    """Path and text of every stub."""
    ops = {path: ops_stub(Module(path)) for path in sorted((PACKAGE / "ops").glob("*.py"))}
    texts = {path: text for path, text in ops.items() if text is not None}
    methods = PACKAGE / "methods.py"
    texts[methods] = methods_stub(Module(methods))
    return {path.with_suffix(".pyi"): text for path, text in texts.items()}


def stale() -> list[Path]:
    """The stubs that are missing or differ from what the source says."""
    return [p for p, text in stubs().items() if not p.exists() or p.read_text(encoding="utf-8") != text]


def write() -> None:
    """Writes the stubs that are missing or stale."""
    texts = stubs()
    for path in stale():
        path.write_text(texts[path], encoding="utf-8")


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit("\n".join(f"stale: {path}" for path in stale()) or 0)
    write()
