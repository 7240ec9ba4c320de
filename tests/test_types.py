"""The types that users' editors see: stubs, compared with the running package, and a user's script under type checkers."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pydoc
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import BuiltinFunctionType

import pytest

import cygrad as cg
from cygrad import _kernels
from cygrad.autograd import Op, Value

ROOT = Path(__file__).parent.parent
PACKAGE = Path(cg.__file__).parent
SCRIPT = ROOT / "tests" / "typed_script.py"
OPS = sorted(path.stem for path in (PACKAGE / "ops").glob("*.pyi"))
Definition = ast.FunctionDef


def definitions(body: list[ast.stmt]) -> dict[str, list[Definition]]:
    """The functions of a stub, or of a class in it: several for an overloaded one."""
    result: dict[str, list[Definition]] = {}
    for node in body:
        if isinstance(node, Definition):
            result.setdefault(node.name, []).append(node)
    return result


def parsed(name: str) -> list[ast.stmt]:
    return ast.parse((PACKAGE / f"{name}.pyi").read_text(encoding="utf-8")).body


def arguments(definition: Definition) -> list[tuple[str, str, str]]:
    """(name, kind, default) of each parameter in a stub; "..." stands for any default."""
    args = definition.args
    plain = [*args.posonlyargs, *args.args]
    defaults = ["", *[ast.unparse(d) for d in args.defaults]]
    defaults = [""] * (len(plain) - len(args.defaults)) + defaults[1:]
    result = [(a.arg, "plain", default) for a, default in zip(plain, defaults, strict=True)]
    result += [(args.vararg.arg, "several", "")] if args.vararg else []
    by_name = [("" if d is None else ast.unparse(d)) for d in args.kw_defaults]
    return result + [(a.arg, "by name", default) for a, default in zip(args.kwonlyargs, by_name, strict=True)]


def signature(function: object) -> list[tuple[str, str, str]]:
    """The same of a running function."""
    kinds = {0: "plain", 1: "plain", 2: "several", 3: "by name", 4: "all"}
    empty = inspect.Parameter.empty
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, kinds[p.kind], "" if p.default is empty else repr(p.default)) for p in parameters]


def same(stub: list[tuple[str, str, str]], running: list[tuple[str, str, str]]) -> bool:
    """Whether names, kinds and defaults agree; True and 1.0 may be written in several ways."""

    def equal(a: str, b: str) -> bool:
        return a == b or a == "..." or (bool(a) and bool(b) and ast.literal_eval(a) == ast.literal_eval(b))

    return [s[:2] for s in stub] == [r[:2] for r in running] and all(equal(s[2], r[2]) for s, r in zip(stub, running))


@pytest.mark.skipif(not (ROOT / "tools").is_dir(), reason="needs the repository")
def test_stubs_are_fresh():
    for script in "make_stubs.py", "make_kernel_stub.py":
        done = subprocess.run([sys.executable, ROOT / "tools" / script, "--check"], capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stderr}\nrun `python setup.py build_ext --inplace`"


@pytest.mark.parametrize("name", OPS)
def test_stub_of_ops_matches_the_ops(name):
    module = importlib.import_module(f"cygrad.ops.{name}")
    stubs = definitions(parsed(f"ops/{name}"))
    ops = {key: value for key, value in vars(module).items() if isinstance(value, Op) and key in stubs}
    defined = {value.name for value in vars(module).values() if isinstance(value, Op)}
    assert ops and {op.name for op in ops.values()} >= {n for n in defined if getattr(module, n, None) in ops.values()}
    for key, op in ops.items():
        (stub,) = stubs[key]
        assert same(arguments(stub), signature(op)), f"{key}: {arguments(stub)} {signature(op)}"
        annotations = {p.name: str(p.annotation) for p in inspect.signature(op).parameters.values()}
        written = [*stub.args.args, *([stub.args.vararg] if stub.args.vararg else []), *stub.args.kwonlyargs]
        assert {a.arg: ast.unparse(a.annotation) for a in written} == annotations
        assert list(op.names) == [a.arg for a in written] or stub.args.vararg


def test_every_op_has_a_stub():
    for path in sorted((PACKAGE / "ops").glob("*.py")):
        module = importlib.import_module(f"cygrad.ops.{path.stem}")
        own = [n for n, v in vars(module).items() if isinstance(v, Op) and v.forward.__module__ == module.__name__]
        if own:
            body = parsed(f"ops/{path.stem}")
            aliases = {target.id for node in body if isinstance(node, ast.Assign) for target in node.targets}
            assert set(own) <= definitions(body).keys() | aliases | {"_diagonal"}


def test_stub_of_methods_matches_the_class():
    from cygrad.methods import TensorMethods

    (owner,) = [node for node in parsed("methods") if isinstance(node, ast.ClassDef)]
    stubs = definitions(owner.body)
    running = {name for name in vars(TensorMethods) if name not in ("__module__", "__doc__", "__slots__", "__hash__")}
    assert stubs.keys() == running
    x = cg.ones(2, 2)
    for name, found in stubs.items():
        if len(found) == 1 and not name.startswith("__") and not name.endswith("_"):
            ours = arguments(found[0])[1:]
            assert same(ours, signature(getattr(x, name))), f"{name}: {ours} {signature(getattr(x, name))}"


def test_methods_do_what_their_stubs_say():
    x = cg.tensor([[1.0, -2.0], [3.0, 4.0]])
    assert isinstance(x + 1, cg.Tensor) and isinstance(1 - x, cg.Tensor) and isinstance(x == x, cg.Tensor)
    assert isinstance(x.max(), cg.Tensor) and isinstance(x.max(1), tuple) and isinstance(x.max(x), cg.Tensor)
    y = x
    y += 1
    assert y is x and x.relu_() is x
    assert x.__add__("text") is NotImplemented


def refusal(function: Callable[..., object], /, *args: object, **options: object) -> str:
    """The message of a call whose arguments do not fit, which runs nothing."""
    with pytest.raises(TypeError) as caught:
        function(*args, **options)
    return str(caught.value)


def test_stub_of_kernels_matches_the_extension():
    body = parsed("_kernels")
    stubs = definitions(body)
    functions = {n: v for n, v in vars(_kernels).items() if isinstance(v, BuiltinFunctionType)}
    assert stubs.keys() == functions.keys()
    for name, (stub,) in stubs.items():  # functions in C have no signature, but say what they take
        function, expected = functions[name], arguments(stub)
        if stub.args.vararg:
            continue
        plain = [parameter for parameter, kind, _ in expected if kind == "plain"]
        required = [parameter for parameter, kind, default in expected if kind == "plain" and not default]
        count = rf"takes (exactly|at most) {len(plain)} positional" if plain else "takes no arguments"
        assert re.search(count, refusal(function, *[None] * (len(plain) + 1))), name
        if expected:
            names = {parameter: None for parameter, _, _ in expected}
            assert "keyword argument 'nobody'" in refusal(function, **names, nobody=None), name
        if required:
            count = rf"takes (exactly|at least) {len(required)} positional"
            assert re.search(count, refusal(function)), name
    for node in body:
        if isinstance(node, ast.ClassDef):
            owner = getattr(_kernels, node.name)
            members = {n for n in vars(owner) if not n.startswith("__")}
            fields = {n.target.id for n in node.body if isinstance(n, ast.AnnAssign)}
            public = {n for n in definitions(node.body) if not n.startswith("__")}
            assert public | fields == members, node.name


def test_public_names_are_typed_and_exist():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assert tree and set(cg.__all__) == set(dict.fromkeys(cg.__all__)), "a name appears twice in __all__"
    for name in cg.__all__:
        assert hasattr(cg, name)
    assert callable(cg.abs_) and "abs_" not in cg.public_names()  # nor a method that was used as a function


@pytest.mark.parametrize("name", ["relu", "sum", "clamp", "max", "Tensor.softmax", "add"])
def test_help_shows_names_types_and_docstring(name):
    thing = cg
    for part in name.split("."):
        thing = getattr(thing, part)
    text = pydoc.render_doc(thing, renderer=pydoc.plaintext)
    assert "Tensor" in text and "Array" not in text and "ctx" not in text
    assert thing.__doc__.splitlines()[0] in text


def test_values_and_tensors_have_one_class():
    assert issubclass(cg.Tensor, Value) and cg.ones(1).exp().__class__ is cg.Tensor


def test_typed_script_runs(capsys):
    accuracy = runpy.run_path(str(SCRIPT))["main"]()
    assert accuracy > 0.6 and "epoch 2" in capsys.readouterr().out


def checker(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), "MYPYPATH": str(PACKAGE.parent)}
    return subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, text=True)


def test_pyright_is_clean_on_the_typed_script():
    pytest.importorskip("pyright")
    done = checker("pyright")
    assert done.returncode == 0, done.stdout


def test_mypy_knows_every_public_name_and_is_clean_on_the_typed_script(tmp_path):
    """Names that are imported when they are first used too. In one call: most of its time goes into the package."""
    pytest.importorskip("mypy")
    packages = {"cygrad": cg, "nn": cg.nn, "functional": cg.nn.functional, "optim": cg.optim}
    lines = ["import cygrad", "from cygrad import nn, optim", "from cygrad.nn import functional"]
    for prefix, package in packages.items():
        names = package.public_names() if package is cg else [n for n in dir(package) if n[0] != "_"]
        values = {name: getattr(package, name) for name in names}
        public = [n for n, v in values.items() if isinstance(v, type) or getattr(v, "__module__", "").startswith("cygrad.nn")]
        lines += [f"{prefix}.{name}" for name in (names if package is cg else public)]
    assert len(lines) > 600
    path = tmp_path / "names.py"
    path.write_text("\n".join(lines) + "\n")
    done = checker("mypy", "--strict", "tests/typed_script.py", str(path))
    assert not re.search(r"typed_script\.py:|has no attribute", done.stdout), done.stdout
    assert done.returncode < 2, done.stdout + done.stderr
