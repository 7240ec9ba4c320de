"""Every public callable with arguments that nobody expects.

A call returns, or raises one of the documented kinds of errors with a message; it never crashes, hangs, leaks an error of the
library's internals, or leaves an argument changed that it refused. What it returns can be printed and differentiated.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import inspect
import random
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import cygrad as cg
from cygrad import data, nn, optim
from cygrad.data import augment
from tests.fuzz.fuzzer import Fuzzer
from tests.fuzz.values import NAMES, SHAPES, a_tensor, an_index, argument, odd

DOCUMENTED = (TypeError, ValueError, IndexError, RuntimeError, NotImplementedError, OverflowError, MemoryError)
UNDOCUMENTED = (RecursionError, UnicodeError)

# Other fuzzers' subjects (files, threads), and what changes the process.
OMITTED = {
    "cg.save", "cg.load", "cg.parallel_map", "cg.seed", "cg.compile", "data.MNIST", "data.load_mnist", "data.load_digits", "data.read_csv", "data.read_idx", "data.read_json_lines",
    "data.read_matrix", "data.read_npy", "data.read_npz", "data.read_parquet", "data.Preprocessor", "data.Table", "data.Dataset", "cg.set_cache_limit", "cg.inference_mode",
    "cg.no_grad", "cg.enable_grad", "cg.set_grad_enabled", "cg.empty", "cg.empty_like", "optim.Optimizer", "nn.Module", "data.LeakageWarning", "augment.Transform",
    "x.data_ptr", "x.graph", "cg.data", "cg.show_config", "cg.set_printoptions", "data.warn_of_leakage",
}  # fmt: skip

ENDLESS = {"max_iter", "max_fun"}  # of estimators; odd values are among the ordinary ones

INDEXED = {"F.embedding", "F.one_hot"}

DUNDERS = ["__getitem__", "__setitem__", "__add__", "__radd__", "__mul__", "__truediv__", "__rtruediv__", "__pow__", "__matmul__", "__rmatmul__", "__mod__", "__floordiv__",
           "__and__", "__iadd__", "__imul__", "__isub__", "__lt__", "__eq__", "__contains__", "__len__", "__iter__", "__bool__", "__float__", "__int__", "__index__",
           "__array__", "__deepcopy__", "__repr__", "__format__", "__invert__", "__neg__", "__reduce__"]  # fmt: skip
ESTIMATORS = ["MLPClassifier", "MLPRegressor"]
SETTABLE = ["grad", "requires_grad", "data", "array"]


@functools.cache
def targets() -> list[str]:
    """The texts of all public callables; methods are called on `x`."""
    found = []
    modules = {
        "cg": cg, "F": nn.functional, "nn": nn, "nn.init": nn.init, "nn.utils": nn.utils, "optim": optim, "optim.lr_scheduler": optim.lr_scheduler,
        "optim.swa_utils": optim.swa_utils, "data": data, "augment": augment,
    }  # fmt: skip
    for prefix, module in modules.items():
        found += [
            f"{prefix}.{n}"
            for n in module.__all__
            if callable(getattr(module, n)) and not isinstance(getattr(module, n), np.dtype)
        ]
    if importlib.util.find_spec("sklearn") is not None:
        found += [f"estimators().{name}" for name in ESTIMATORS]
    found += [f"x.{n}" for n in dir(cg.Tensor) if n[0] != "_" and callable(getattr(cg.Tensor, n))]
    found += [f"x.{n}" for n in DUNDERS] + [f"x.{n} =" for n in SETTABLE]
    found += ["cg.autograd.backward", "cg.autograd.grad"]
    return sorted(set(found) - OMITTED)


@functools.cache
def parameters(target: str) -> tuple[tuple[str, bool, bool], ...]:
    """(name, required, by keyword only) of each parameter of a target."""
    owner, name = (cg.Tensor, target[2:]) if target.startswith("x.") else (None, target)
    if target.endswith("="):
        return (("value", True, False),)
    function = getattr(owner, name) if owner else eval(name, NAMES)
    try:
        signature = list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError):
        return (("input", True, False),)
    if owner and signature and signature[0].name in ("self", "input", "tensors"):
        signature = signature[1:]
    result = []
    for p in signature:
        if p.kind is p.VAR_POSITIONAL:
            result += [(p.name, True, False)] * 2
        elif p.kind is not p.VAR_KEYWORD and p.name != "verbose":
            result.append((p.name, p.default is p.empty, p.kind is p.KEYWORD_ONLY))
    return tuple(result)


@dataclass(frozen=True)
class Call:
    """A target, what it is a method of, and the texts of its arguments."""

    target: str
    receiver: str
    args: tuple[str, ...]
    kwargs: tuple[tuple[str, str], ...]
    then: str = ""  # what is done with the result r

    @property
    def setup(self) -> list[str]:
        """The statements that make the arguments."""
        lines = [f"x = {self.receiver}"] if self.receiver else []
        lines += [f"a{i} = {text}" for i, text in enumerate(self.args)]
        return lines + [f"b{i} = {text}" for i, (_, text) in enumerate(self.kwargs)]

    @property
    def call(self) -> str:
        if self.target.endswith("="):
            return f"{self.target} a0; r = None"
        args = [f"a{i}" for i in range(len(self.args))] + [f"{name}=b{i}" for i, (name, _) in enumerate(self.kwargs)]
        return f"r = {self.target}({', '.join(args)})"

    @property
    def name(self) -> str:
        return self.target.rsplit(".", 1)[-1].strip("_ =")


class Arguments(Fuzzer[Call]):
    """Every public callable with odd arguments: a result or one clear error."""

    name = "arguments"
    quick = 1500
    batch = 400
    memory = 1 << 30
    optional = ("cygrad.sklearn",)

    def start(self) -> None:
        warnings.simplefilter("ignore")
        np.seterr(all="ignore")

    def case(self, rng: random.Random) -> Call:
        target = rng.choice(targets())
        if rng.random() < 0.02:  # targets of which most calls are refused
            target = rng.choice([t for t in targets() if t in INDEXED or t.startswith("estimators()")])
        oddness = rng.choice([0.0, 0.15, 0.3, 0.3, 0.6])
        receiver = a_tensor(rng) if target.startswith("x.") else ""
        args, kwargs = [], []
        for name, required, by_name in parameters(target):
            if (
                target.startswith("estimators()") and rng.random() < 0.8
            ):  # of so many parameters, one is refused nearly always
                continue
            if not required and rng.random() < 0.65:
                by_name = True
                if rng.random() < 0.75:
                    continue
            by_name = by_name or bool(kwargs)
            if any(name == known for known, _ in kwargs):
                continue  # the second of further positional ones
            text = argument(rng, name, 0.0 if name in ENDLESS else oddness)
            if target in INDEXED and name in ("input", "tensor", "weight") and rng.random() < 0.7:
                text = f"tensor({rng.choice(SHAPES)})" if name == "weight" else an_index(rng)
            kwargs.append((name, text)) if by_name else args.append(text)
        if rng.random() < 0.03:
            args.append(odd(rng))
        if args and rng.random() < 0.03 and not target.endswith("="):
            args.pop()
        return Call(target, receiver, tuple(args), tuple(kwargs), self.use(target, rng))

    def use(self, target: str, rng: random.Random) -> str:
        """What an object that the call makes is used for."""
        kind, name = target.rsplit(".", 1)
        if kind == "nn" and name not in ("Parameter", "ModuleList", "ModuleDict", "ParameterList"):
            return f"r = r({a_tensor(rng)}{', ' + odd(rng) if 'Loss' in name else ''})"
        if kind == "estimators()":
            X, y, weight = (argument(rng, name, rng.choice([0.0, 0.1])) for name in ("X", "y", "sample_weight"))
            others = argument(rng, "X", 0.3)
            asked = {
                "MLPClassifier": ["predict", "predict_proba", "predict_log_proba", "score"], "MLPRegressor": ["predict", "score"],
            }[name]  # fmt: skip
            fit, method = rng.choice(["fit", "fit", "partial_fit"]), rng.choice(asked)
            return f"r.{fit}({X}, {y}, {weight}); r.{method}({others}{f', {y}' if method == 'score' else ''})"
        if kind == "optim.lr_scheduler":
            return "r.step(); r.step()"
        if kind == "augment":
            return f"r = r({rng.choice([a_tensor(rng), 'array((2, 3, 8, 8))', 'tensor((2, 1, 8, 8))', '[tensor((2, 1, 8, 8)), tensor((2,))]'])})"
        if target == "data.DataLoader":
            return "[b for b, _ in zip(r, range(3))]"
        if kind == "optim" and name[0].isupper():
            return "r.param_groups[0]['params'][0].grad = tensor(); r.step()"
        return ""

    def run(self, case: Call) -> str | None:
        self.restore()
        names = dict(NAMES)
        try:
            exec("\n".join(case.setup), names)
        except DOCUMENTED:
            self.counts["no such argument"] += 1
            return None
        inputs = arrays_in(names, case)
        before = [a.tobytes() for a in inputs]
        try:
            problem = self.attempt(case, case.call, names)
            if problem is None and case.then:
                problem = self.attempt(case, case.then, names)
            if problem is None:
                self.counts["returned"] += 1
                return self.look(case, names.get("r"))
            if problem:
                return problem
        finally:
            self.restore()
        changed = [i for i, (a, b) in enumerate(zip(inputs, before)) if a.tobytes() != b]
        if changed and not case.then:
            return f"changed by a refused call: {case.target}"
        self.counts["refused"] += 1
        return None

    def attempt(self, case: Call, line: str, names: dict[str, Any]) -> str | None:
        """None if the line runs, "" if it is refused well, or what is wrong."""
        try:
            exec(line, names)
        except DOCUMENTED as error:
            return self.judge(case, error)
        except (KeyError, ZeroDivisionError) as error:  # documented where the message is the library's own
            if "DataLoader" in case.target and isinstance(error, KeyError):
                return ""  # of a dict as a dataset
            if ": " in str(error):
                return ""
            return f"leaks {type(error).__name__}: {case.target}\n{error}\n{where(error)}"
        except BaseException as error:
            if str(error) == f"This {case.name!r} has no attribute 'partial_fit'":  # with lbfgs, as in scikit-learn
                return ""
            return f"leaks {type(error).__name__}: {case.target}\n{error}\n{where(error)}"
        return None

    def judge(self, case: Call, error: Exception) -> str:
        text = str(error)
        if isinstance(error, UNDOCUMENTED):
            return f"leaks {type(error).__name__}: {case.target}\n{text[:500]}\n{where(error)}"
        if not text and not isinstance(error, MemoryError):
            return f"no message: {case.target}\n{type(error).__name__}\n{where(error)}"
        return ""

    def look(self, case: Call, result: Any) -> str | None:
        """Print the result, and go backward from it."""
        for part in result if isinstance(result, (tuple, list)) else [result]:
            if not isinstance(part, cg.Tensor) or "uninitialized" in str(case) or "Forgetful" in str(case):
                continue
            array = part.array
            if type(array) is not np.ndarray:
                return f"not a plain array: {case.target}\n{type(array)}"
            if not array.dtype.isnative or array.dtype.kind not in "fiub":
                return f"dtype {array.dtype.str}: {case.target}"
            repr(part)
            if part.requires_grad and part.node is not None and part.array.size < 10_000:
                with contextlib.suppress(RuntimeError, IndexError, MemoryError):
                    part.sum().backward()
        return None

    def restore(self) -> None:
        cg.set_grad_enabled(True)
        cg.set_num_threads(1)

    def shrink(self, case: Call) -> Iterator[Call]:
        for i in range(len(case.kwargs)):
            yield replace(case, kwargs=(*case.kwargs[:i], *case.kwargs[i + 1 :]))
        for i, text in enumerate(case.args):
            for simple in ("tensor()", "1", "None", re.sub(r", (layout|dtype|fill|grad)=[^,)]*", "", text)):
                if text != simple and text not in ("tensor()", "1", "None"):
                    yield replace(case, args=(*case.args[:i], simple, *case.args[i + 1 :]))
        if case.receiver not in ("", "tensor()"):
            yield replace(case, receiver="tensor()")

    def show(self, case: Call) -> str:
        lines = ["from tests.fuzz.values import *", "globals().update(NAMES)", *case.setup, case.call]
        return "\n".join([*lines, case.then] if case.then else lines)


def arrays_in(names: dict[str, Any], case: Call) -> list[np.ndarray]:
    """The arrays that the arguments hold, at their first level."""
    found = []
    for name, value in names.items():
        if not (name == "x" or (name[0] in "ab" and name[1:].isdigit())):
            continue
        for part in value if isinstance(value, (list, tuple)) and len(value) < 10 else [value]:
            part = getattr(part, "array", part) if not isinstance(part, cg.Tensor) else safe_array(part)
            if isinstance(part, np.ndarray) and part.dtype != object:
                found.append(part)
    return found


def safe_array(tensor: cg.Tensor) -> Any:
    try:
        return tensor.array
    except Exception:
        return None


def where(error: BaseException) -> str:
    """The last frames of an error's traceback."""
    import traceback

    return "".join(traceback.format_exception(error)[-6:])


FUZZERS = [Arguments()]
