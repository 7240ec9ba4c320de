"""Compiled steps that must do what eager ones do, bit for bit, in a world that changes between calls.

A program runs nine times, eagerly and compiled, in two equal worlds. Its arguments get new values, other layouts, other sizes, or
share memory; numbers, parameters, gradients, modules and optimizers are changed between two calls; it writes to its arguments, keeps
tensors, draws random numbers and reads values. After each call everything that a user can see is compared: results, arguments,
parameters, gradients, buffers, optimizer states and what was kept. Only the sign of a zero gradient may differ.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

import cygrad as cg
from tests.fuzz.eager import execute, input_text, names_of
from tests.fuzz.fuzzer import Fuzzer, fewer
from tests.fuzz.programs import LAYOUTS, Input, Program, ProgramWriter

CALLS = 9
HOW = ["same"] * 12 + ["columns", "spread", "inner", "shorter", "again", "alias", "part"]
NUMBERS = ["g0 = 2.5", "cfg.k = 3.0", 'table["k"] = -1.0', "g0 = 2", "cfg.k = True"]


class RecordedWriter(ProgramWriter):
    """Adds to a program what only recorded steps have to fear."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng, recorded=True)

    def write(self) -> Program:
        program = super().write()
        lines = list(program.lines)
        for _ in range(self.rng.choice([0, 1, 1, 2])):
            x = self.pick()
            place = self.rng.randint(0, len(lines))
            lines.insert(place, self.rng.choice(self.extras(str(x))))
        edits = [(self.rng.choice([3, 3, 5, 6]), self.edit(program)) for _ in range(self.rng.choice([0, 0, 1, 1, 2]))]
        calls = tuple(self.rng.choice(HOW) for _ in range(CALLS)) if self.chance(0.5) else ("same",) * CALLS
        large = self.chance(0.003) and not any(".unbind(" in line for line in lines)  # which makes a view of each row
        inputs = tuple(self.precise(i, large) for i in program.inputs)
        return replace(program, inputs=inputs, lines=tuple(lines), edits=tuple(sorted(edits)), calls=calls)

    def precise(self, one: Input, large: bool) -> Input:
        """An input in one of two dtypes; the first one may be as large as what several threads share."""
        one = replace(one, dtype="float32" if self.chance(0.2) else one.dtype)
        if large and one.kind == "float" and one.name == "x0":
            return replace(one, shape=(3_200_000,), data="lattice")
        return one

    def extras(self, x: str) -> list[str]:
        arguments = [n.text for n in self.names if n.text[0] == "x" and n.kind == "float"] or [x]
        argument = self.rng.choice(arguments)
        y = self.number()
        return [
            f'kept["a"] = {x}', f'kept["b"] = {x}.detach()', f'kept["c"] = kept.get("c", 0) + {x}.detach()', f"{argument}.mul_(0.5)", f"{argument} += 1",
            f"{argument}.copy_({argument} * 0.5 + {y})", f"r = F.dropout({x}, 0.3)", f"r = T.rand_like({x})", f"r = {x} + T.randn({x}.shape, dtype=T.float64)",
            f"r = {x}.sum().item() * {x}", f"r = {x} * float({x}.detach().numpy().sum())", f"r = copy.deepcopy({x}.detach()) * 2",
            f"r = T.Tensor(np.array({x}.detach().array)) * 2", f"r = {x} * {y} if {y} > 1 else {x} - 1", f"r = {x} * g0 + cfg.k", f'r = {x} * table["k"]',
            f"r = {x} * pickle.loads(pickle.dumps({x}.detach()))", f"{argument}.data = {argument}.data + 1", f"r = T.where({x}.detach() > g0, {x}, {y})",
        ]  # fmt: skip

    def edit(self, program: Program) -> str:
        ways = list(NUMBERS) * 2
        leaves = [i.name for i in program.inputs if i.name[0] == "p"]
        for p in leaves:
            ways += [f"{p}.requires_grad_(False)", f"{p}.data = {p}.data * 2", f"{p}.data.mul_(0.5)", f"{p}.grad = None", f"{p}.grad = T.ones_like({p})",
                     f"if {p}.grad is not None: {p}.grad.data = T.ones_like({p})", f"if {p}.grad is not None: {p}.grad.mul_(2)"]  # fmt: skip
        for i, text in enumerate(program.modules):
            m = f"m{i}"
            ways += [f"{m}.eval()", f"{m}.requires_grad_(False)", f"{m}.load_state_dict({{k: v * 2 for k, v in {m}.state_dict().items()}})",
                     f"next({m}.parameters()).data = next({m}.parameters()).data * 2", f"{m}.register_forward_hook(lambda m, i, o: o * 2)"]  # fmt: skip
            if "Sequential" in text:
                ways += [f"{m}[1] = T.nn.Sigmoid()"] * 2
            if "Norm" in text:
                ways += [f"{m}.eps = 0.1", f"{m}.momentum = 0.5"]
        if program.optimizer:
            ways += ['opt.param_groups[0]["lr"] = 0.05', "opt.load_state_dict(opt.state_dict())", 'opt.param_groups[0]["weight_decay"] = 0.3',
                     "for s in opt.state.values(): s.update({k: v * 2 for k, v in s.items() if isinstance(v, T.Tensor) and v.ndim})"]  # fmt: skip
        return self.rng.choice([*ways, "T.set_num_threads(2)", "T.set_num_threads(1)", "T.manual_seed(3)"])


def world(case: Program) -> dict[str, Any]:
    """The names of a program before its first call."""
    names = names_of(case, cg) | {"__name__": "case"}
    exec("import copy, pickle\nimport numpy as np", names)
    names["kept"] = {}
    return names


def step_text(case: Program, lines: list[str]) -> str:
    """The program as a function of its inputs, which returns its tensors without their graph."""
    made = list(
        dict.fromkeys(line.split(" = ")[0] for line in lines if line.split(" = ")[0].isidentifier() and line[0] != "p")
    )
    body = [*lines, f"return [{', '.join(f'{n}.detach()' for n in made)}]"]
    arguments = ", ".join(i.name for i in case.inputs if i.name[0] == "x")
    return f"def step({arguments}):\n" + "\n".join(f"    {line}" for line in body)


def given(case: Program, number: int, before: list[Any]) -> list[Any]:
    """The arguments of a call."""
    how = case.calls[number] if number < len(case.calls) else "same"
    if how == "again" and before:
        return before
    arrays = []
    for one in (i for i in case.inputs if i.name[0] == "x"):
        if how == "shorter" and one.shape:
            one = replace(one, shape=(max(1, one.shape[0] - 1), *one.shape[1:]))
        arrays.append(LAYOUTS.get(how, LAYOUTS[one.layout])(one.values(number)))
    tensors = [cg.from_numpy(a) for a in arrays]
    if how in ("alias", "part") and len(tensors) > 1:
        for i, one in enumerate(tensors[1:], 1):
            if one.shape == tensors[0].shape and one.dtype == tensors[0].dtype:
                tensors[i] = tensors[0] if how == "alias" else tensors[0][...]
    return tensors


def bits(tensor: Any, signless: bool = False) -> tuple[str, Any, bytes]:
    """The bits of a tensor; all NaN are one, and 0 and −0 if their sign does not count."""
    array = np.array(tensor.detach().numpy())
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array + 0.0 if signless else array)
    return array.dtype.str, array.shape, array.tobytes()


def visible(case: Program, names: dict[str, Any], arguments: list[Any]) -> dict[str, Any]:
    """The bits of everything that a user can see after a call."""
    leaves = {i.name: names[i.name] for i in case.inputs if i.name[0] == "p"}
    seen: dict[str, Any] = {f"argument {i}": bits(a) for i, a in enumerate(arguments)}
    for i in range(len(case.modules)):
        leaves |= {f"m{i}.{n}": p for n, p in names[f"m{i}"].named_parameters()}
        seen |= {f"m{i}.{n}": bits(b) for n, b in names[f"m{i}"].named_buffers() if b is not None}
    for name, leaf in leaves.items():
        seen[name] = bits(leaf)
        seen[f"{name}.grad"] = None if leaf.grad is None else bits(leaf.grad, signless=True)
        if "opt" in names:
            state = names["opt"].state.get(leaf, {})
            seen |= {
                f"state of {name}: {k}": bits(v, True) if isinstance(v, cg.Tensor) else v for k, v in state.items()
            }
    return seen | {f"kept {k}": bits(v) for k, v in names["kept"].items()}


def play(case: Program, step: Any, names: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Call the step, and tell after each call what can be seen; an error ends the play."""
    cg.set_num_threads(1)
    cg.manual_seed(0)
    arguments: list[Any] = []
    for number in range(CALLS):
        for when, edit in case.edits:
            if when == number:
                with suppress(StopIteration):  # a module without parameters
                    exec(edit, names)
        arguments = given(case, number, arguments)
        try:
            returned = step(*arguments)
        except MemoryError:
            raise
        except Exception as error:
            yield {"error": type(error).__name__}
            return
        yield visible(case, names, arguments) | {f"result {i}": bits(r) for i, r in enumerate(returned)}


class Recorded(Fuzzer[Program]):
    """Compiled steps against eager ones, bit for bit, while the world around them changes."""

    name = "recorded"
    quick = 100
    timeout = 60.0

    def start(self) -> None:
        warnings.simplefilter("ignore")
        np.seterr(all="ignore")

    def case(self, rng: random.Random) -> Program:
        return RecordedWriter(rng).write()

    def run(self, case: Program) -> str | None:
        names = world(case)
        refused = execute(case, names)
        lines = [line for number, line in enumerate(case.lines) if number not in refused]
        self.counts["lines"] += len(lines)
        eager, compiled = world(case), world(case)
        for names in (eager, compiled):
            exec(step_text(case, lines), names)
        program = cg.compile(compiled["step"])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                wanted = list(play(case, eager["step"], eager))
                got = list(play(case, program, compiled))
            except MemoryError:
                self.counts["more memory than a case gets"] += 1
                return None
        for number, (ours, theirs) in enumerate(zip(got, wanted)):
            if ours != theirs:
                return self.explain(number, ours, theirs)
        self.counts["calls"] += len(got)
        self.counts["replays"] += sum(p.replay.runs for p in program.programs())
        self.counts["eager by a warning"] += any("runs eagerly" in str(w.message) for w in caught)
        return None

    def explain(self, number: int, ours: dict[str, Any], theirs: dict[str, Any]) -> str:
        for name in theirs:
            if ours.get(name) != theirs[name]:
                values = [
                    v and np.frombuffer(v[2], v[0])[:8] if isinstance(v, tuple) else v
                    for v in (ours.get(name), theirs[name])
                ]
                return f"compiled differs: {name}\nin call {number}\ncompiled {values[0]}\neager    {values[1]}\n{ours.get('error', '')}"
        return f"compiled differs: names\nin call {number}: {sorted(ours.keys() ^ theirs.keys())}"

    def shrink(self, case: Program) -> Iterator[Program]:
        return case.smaller(fewer)

    def show(self, case: Program) -> str:
        return script(case)


def script(case: Program) -> str:
    """A program that says what differs, and the step as a comment."""
    world = [f"{i.name} = {input_text(i)}" for i in case.inputs] + [f"m{i} = {m}" for i, m in enumerate(case.modules)]
    edits = [f"before call {number}: {edit}" for number, edit in case.edits]
    note = [f"# {line}" for line in [*world, *step_text(case, list(case.lines)).split("\n"), *edits]]
    return "\n".join(["from tests.fuzz.recorded import *", *note, f"case = {case!r}", "print(Recorded().run(case))"])


FUZZERS = [Recorded()]
