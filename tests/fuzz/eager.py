"""Programs that cygrad and PyTorch must understand in the same way: values, gradients, what is written in place, what is refused.

Values are compared in float64, where an op of either library is right to a few units in the last place. A difference beyond
1e-9 counts unless the program itself amplifies rounding: then PyTorch's own results move as much when the inputs, what
the lines compute and its gradients are changed by a relative 1e-13. Programs whose lines are exact on a lattice of halves get no such allowance: they are where ties and kinks lie.
"""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

import cygrad as cg
from tests.fuzz.fuzzer import Fuzzer, fewer
from tests.fuzz.programs import Input, Program, ProgramWriter

HUGE = {"float64": 1e150, "float32": 1e19}  # whose squares overflow
SHAKES = 16  # a comparison of equal numbers does not change under every shake
SHAKE = {"float64": 1e-13, "float32": 1e-6}
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
EXACT = 2.0**20  # multiples of a sixteenth below it have been computed without rounding
FLOOR = {"float64": 1e-9, "float32": 1e-4}  # what cancels to 0 in one library is a rounding error in the other


def library(name: str) -> Any:
    if name == "cygrad":
        return cg
    import torch

    return torch


def fill(module: Any, wrap: Any) -> Any:
    """The module in float64, with parameters that both libraries have."""
    module = module.double()
    for number, p in enumerate(module.parameters()):
        values = np.random.default_rng(number).standard_normal(tuple(p.shape))
        p.data = wrap(values)
    return module


def names_of(program: Program, T: Any, shake: float = 0.0, number: int = 0, seed: int = 0) -> dict[str, Any]:
    """The names with which a program begins: inputs, shaken with a seed, parameters, modules, optimizer."""
    wrap = T.from_numpy
    names: dict[str, Any] = {
        "T": T,
        "F": T.nn.functional,
        "g0": 1.5,
        "cfg": SimpleNamespace(k=0.5),
        "table": {"k": 2.0},
    }
    for place, one in enumerate(program.inputs):
        array = one.array(number)
        if shake and array.dtype.kind == "f":
            array *= 1 + shake * np.random.default_rng([seed, place]).standard_normal(array.shape)
        tensor = wrap(array)
        names[one.name] = tensor.requires_grad_() if one.name[0] == "p" else tensor
    for i, text in enumerate(program.modules):
        names[f"m{i}"] = fill(eval(text, {"T": T}), wrap)
    if program.optimizer:
        parameters = [names[i.name] for i in program.inputs if i.name[0] == "p"]
        parameters += [p for i in range(len(program.modules)) for p in names[f"m{i}"].parameters()]
        names["opt"] = eval(program.optimizer.format("parameters"), {"T": T, "parameters": parameters})
    return names


def results(program: Program, names: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of all tensors, and of the gradients of leaves."""
    found = {}
    tensors = {n: t for n, t in names.items() if hasattr(t, "requires_grad") and n not in ("T", "F")}
    for i in range(len(program.modules)):
        tensors |= {f"m{i}.{n}": p for n, p in names[f"m{i}"].named_parameters()}
        tensors |= {f"m{i}.{n}": b for n, b in names[f"m{i}"].named_buffers() if b is not None}
    for name, tensor in tensors.items():
        found[name] = np.array(tensor.detach().numpy())
        if name[0] in "mp" and name != "m" and name != "p" and tensor.is_leaf and tensor.grad is not None:
            found[f"{name}.grad"] = np.array(tensor.grad.detach().numpy())
    return found


def execute(program: Program, names: dict[str, Any], see: Callable[[Any], None] | None = None) -> dict[int, Exception]:
    """Run the lines, and see() what each gives a name; return the errors of those that were refused."""
    errors = {}
    for number, line in enumerate(program.lines):
        try:
            exec(line, names)
        except Exception as error:
            errors[number] = error
        else:
            if see and (name := line.split(" = ")[0]) in names:
                see(names[name])
    return errors


def same(ours: np.ndarray, theirs: np.ndarray, moved: np.ndarray | None = None, precision: str = "float64") -> str:
    """What differs between two results; empty if nothing does."""
    if ours.shape != theirs.shape:
        return f"shape {ours.shape}, PyTorch {theirs.shape}"
    if ours.dtype != theirs.dtype:
        return f"dtype {ours.dtype}, PyTorch {theirs.dtype}"
    if ours.dtype.kind == "f":
        wrong = apart(ours, theirs, moved, precision)
    else:
        wrong = ours != theirs if moved is None or np.array_equal(moved, theirs) else np.zeros(ours.shape, bool)
    if not wrong.any():
        return ""
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    return f"values\nat {place}: {ours[place]!r}, PyTorch {theirs[place]!r}"


def apart(ours: np.ndarray, theirs: np.ndarray, moved: np.ndarray | None, precision: str) -> np.ndarray:
    """Where two arrays of floats differ by more than rounding explains."""
    if moved is not None and not np.array_equal(np.isfinite(moved), np.isfinite(theirs)):
        return np.zeros(ours.shape, bool)
    finite = np.isfinite(ours) & np.isfinite(theirs)
    largest = np.max(np.abs(theirs), where=np.isfinite(theirs), initial=0.0)
    allowed = TOLERANCE[precision] * (np.abs(theirs) + largest) + FLOOR[precision]
    if moved is not None:
        gap = np.abs(moved - theirs)
        allowed = allowed + 1e6 * np.max(gap, where=np.isfinite(gap), initial=0.0)
    equal = (ours == theirs) | ~(np.isfinite(ours) | np.isfinite(theirs))  # ∞ or NaN depends on the order of operations
    return np.where(finite, np.abs(ours - theirs) > allowed, ~equal)


def cancels(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> bool:
    """Whether a number is what rounding or underflow has left of 0, or a 0 whose sign is that of another order of operations: a
    quotient or a root may make any number of it."""
    for a, b in ((a, theirs[name]) for name, a in ours.items() if a.dtype.kind == "f"):
        if (np.isnan(a) != np.isnan(b)).any() or (np.abs(b[np.isfinite(b)]) > HUGE[b.dtype.name]).any():
            return True  # a sum, or a product with 0, of what has overflowed
        a, b, signs = np.abs(a), np.abs(b), np.signbit(a) != np.signbit(b)
        if ((b > 1e-20) & (b < 1e-7) | (a + b < 1e-11) & ((a == 0) != (b == 0)) | (a + b == 0) & signs).any():
            return True
    return False


def rounds(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> bool:
    """Whether the libraries have rounded anything differently, so that comparisons and orders may differ too."""
    return any(not np.array_equal(a, theirs[name], equal_nan=True) for name, a in ours.items() if a.dtype.kind == "f")


class Eager(Fuzzer[Program]):
    """Programs against PyTorch: values, gradients, in-place writes, refusals."""

    name = "eager"
    requires = ("torch", "torch._dynamo")  # PyTorch imports the second with its first optimizer
    quick = 200
    timeout = 60.0

    def start(self) -> None:
        import torch

        torch.set_num_threads(1)
        warnings.simplefilter("ignore")
        np.seterr(all="ignore")

    def case(self, rng: random.Random) -> Program:
        return ProgramWriter(rng).write()

    def run(self, case: Program) -> str | None:
        T = library("torch")
        ours, theirs = names_of(case, cg), names_of(case, T)
        our_errors, their_errors = execute(case, ours), execute(case, theirs)
        self.counts["lines"] += len(case.lines)
        self.counts["lines refused"] += len(their_errors)
        overwritten = any("inplace operation" in str(e) for e in their_errors.values())
        if overwritten:
            self.counts["saved arrays overwritten"] += 1  # cygrad may have saved others, and must then be right
            with T.autograd.graph.allow_mutation_on_saved_tensors():
                theirs = names_of(case, T)
                their_errors = execute(case, theirs)
        if any(OVERWRITTEN in str(e) for e in our_errors.values()):
            self.counts["refused, overwritten"] += 1
            return None
        for number, line in enumerate(case.lines):
            mine, other = our_errors.get(number), their_errors.get(number)
            if (mine is None) == (other is None):
                continue
            if decided(mine, other):
                self.counts["decided to differ"] += 1
                return None
            return f"{'only cygrad' if mine else 'only PyTorch'} refuses: {line}\n{mine or other!r}"
        refused = " ".join(case.lines[number] for number in our_errors)
        views = [value for value in theirs.values() if getattr(value, "_is_view", bool)()]
        through_view = bool(views) or any(re.search(r"\] [-+*/]?= |\[:\]", line) for line in case.lines)
        if (overwritten and through_view) or any(".data" in line for line in case.lines):
            refused += "backward"  # PyTorch keeps no copy of a view, or of what one overwrites, nor notices .data
        try:
            return self.compare(case, results(case, ours), results(case, theirs), refused)
        except (MemoryError, RuntimeError) as error:
            if not decided(None, error):
                raise
            return None

    def compare(
        self, case: Program, ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], refused: str
    ) -> str | None:
        if case.optimizer and ("backward" in refused or self.spreads(theirs)):
            return None  # PyTorch has given some leaves their gradients before it refuses
        free = [".grad"] if "backward" in refused or self.spreads(theirs) else []
        free += ["num_batches_tracked"] if "m" in refused else []  # PyTorch counts a batch that it refuses
        ours, theirs = ({k: a for k, a in r.items() if not k.endswith(tuple(free))} for r in (ours, theirs))
        if ours.keys() != theirs.keys():
            return f"names differ: {sorted(ours.keys() ^ theirs.keys())}"
        # An optimizer may divide a gradient by its size, and with it the rounding error of one that should be 0.
        precision = "float32" if case.optimizer or any(a.dtype == np.float32 for a in theirs.values()) else "float64"
        for name in ours:
            if not same(ours[name], theirs[name], None, precision):
                continue
            if not case.exact and (cancels(ours, theirs) or (ours[name].dtype.kind != "f" and rounds(ours, theirs))):
                break
            problems = [
                same(
                    ours[name],
                    theirs[name],
                    None if case.exact else self.moved(case, precision, seed).get(name),
                    precision,
                )
                for seed in range(1 if case.exact else SHAKES)
            ]
            if all(problems):
                return f"{'gradient' if name.endswith('.grad') else 'value'} differs: {name}: {problems[0]}"
            break
        else:
            self.counts["equal"] += 1
            return None
        self.counts["ill-conditioned"] += 1
        return None

    def spreads(self, found: dict[str, np.ndarray]) -> bool:
        """Whether there are NaN, which an op may pass to more or fewer elements in backward."""
        return any(np.isnan(a).any() for a in found.values() if a.dtype.kind == "f")

    def moved(self, case: Program, precision: str, seed: int) -> dict[str, np.ndarray]:
        """PyTorch's results with inputs and gradients that are shaken."""
        T, rng = library("torch"), np.random.default_rng([seed, len(case.inputs)])

        def shaken(value: Any) -> Any:
            noise = SHAKE[precision] * T.from_numpy(rng.standard_normal(tuple(value.shape)))
            exact = (value * 16 == (value * 16).round()) & (value.abs() < EXACT)
            return T.where(exact, value, value * (1 + noise.to(value.dtype)))

        def all_shaken(gradients: Any, _: Any) -> Any:
            return tuple(None if g is None else shaken(g) for g in gradients)

        def shake(value: Any) -> None:
            if isinstance(value, T.Tensor) and value.is_floating_point() and value.grad_fn is not None:
                value.register_hook(shaken)
                value.grad_fn.register_hook(all_shaken)  # those of operands, before equal ones are added
                value.data = shaken(value.detach())

        names = names_of(case, T, SHAKE[precision], seed=seed)
        execute(case, names, shake)
        return results(case, names)

    def shrink(self, case: Program) -> Iterator[Program]:
        return case.smaller(fewer)

    def show(self, case: Program) -> str:
        return script(case)


OVERWRITTEN = "was changed in place"


DECIDED = {  # part of the message → why only one of them refuses
    "take_along_dim: index": "PyTorch's takes indices modulo the size",
    "single memory location": "cygrad copies first what overlaps",
    "returns multiple views": "cygrad follows writes to them",
    "training needs more than one value": "PyTorch's running statistics become NaN",
    "doesn't match the broadcast shape": "a leading dimension of size 1 is dropped, as in NumPy",
    "negative slope which is not supported": "cygrad's leaky_relu saves what its backward needs",
    "mT: the tensor must have at least 2": "PyTorch deprecates it",
    "select(): index 0 out of range": "PyTorch's batch norm can't count the batches of no channels",
    "but other is float": "PyTorch looks at no dtype where an operand is empty",
    "but input is float": "the same",
    "but the input (0,": "PyTorch's batch norm looks at no weight where the input is empty",
    "llocate": "one of them may need more memory than a case gets",
    "shares its memory but is not known": "cygrad notices writes through arrays that it can't follow",
    "linear: input has shape": "PyTorch takes a vector as a weight",
    "should have the same number of dimensions": "cygrad broadcasts them",
    "to have non-zero size": "cygrad reduces an empty dimension where there is no result",
    "expected dtype": "cygrad promotes the operands of lerp",
    "view: no view of shape": "the same, the other way round",
    "view size is not compatible": "cygrad's results are contiguous where PyTorch's keep the layout of an input",
    "memory is read-only": "an expanded tensor is not written to",
    "a leaf Variable that requires grad is being used": "cygrad follows writes through a view that is older than the gradient",
    "backward was called a second time": "cygrad frees every node, PyTorch those that saved something",
}

INDEX_OF_NOTHING = r"out of bounds .* shape \((.*, )?0(,.*)?\)"  # PyTorch takes any index where the result is empty


def decided(ours: Exception | None, theirs: Exception | None) -> bool:
    """Whether only one library refuses a line, by decision."""
    return any(part in f"{ours}{theirs}" for part in DECIDED) or bool(re.search(INDEX_OF_NOTHING, f"{ours}"))


def script(case: Program) -> str:
    """A program that prints what both libraries compute."""
    text = " ".join(case.lines)
    head = ["import numpy as np, torch, cygrad"]
    body = []
    if any(one.data == "special" for one in case.inputs):
        head.append("from numpy import inf, nan")
    if any(one.layout != "plain" for one in case.inputs):
        head.append("from tests.fuzz.programs import LAYOUTS")
    if case.modules:
        head.append("from tests.fuzz.eager import fill")
    if "F." in text:
        body.append("F = T.nn.functional")
    body += [f"{one.name} = {input_text(one)}" for one in case.inputs]
    body += [f"m{i} = fill({module}, T.from_numpy)" for i, module in enumerate(case.modules)]
    if case.optimizer:
        leaves = [i.name for i in case.inputs if i.name[0] == "p"]
        parameters = " + ".join(
            [f"[{', '.join(leaves)}]", *(f"list(m{i}.parameters())" for i in range(len(case.modules)))]
        )
        body.append(f"opt = {case.optimizer.format(parameters)}")
    body += case.lines
    names = [i.name for i in case.inputs]
    names += [line.split(" = ")[0] for line in case.lines if line.split(" = ")[0].isidentifier()]
    body.append(f"print({', '.join(names)})")
    body += [f"print({i.name}.grad)" for i in case.inputs if i.name[0] == "p"]
    return "\n".join([*head, "for T in (cygrad, torch):", *(f"    {line}" for line in body)])


def input_text(one: Input) -> str:
    values = one.values()
    array = f"np.array({values.tolist()!r}, '{values.dtype}')"
    if values.size > 100 or not values.size:
        array = f"np.random.default_rng([{one.seed}, 0]).standard_normal({one.shape})"
    if one.layout != "plain":
        array = f"LAYOUTS['{one.layout}']({array})"
    return f"T.from_numpy({array})" + (".requires_grad_()" if one.name[0] == "p" else "")


FUZZERS = [Eager()]
