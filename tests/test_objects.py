"""Objects in states that Python can bring them into: not initialized, half-made, with other attributes. Errors, no crash."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import cygrad as cg
from cygrad import _kernels as kernels
from cygrad import nn
from cygrad.autograd import Node, Op, Value, engine
from cygrad.compiler.plan.plan import launches_of
from cygrad.compiler.replay import replay

NOT_INITIALIZED = r"{}: the object is not initialized; call super\(\).__init__\(\) first"
X = cg.ones(2)
ARGUMENTS = [
    (),
    (X,),
    (1,),
    (1, 1),
    ("a", None),
    (0, X, X),
    (cg.ones(1, 2, 2), cg.ones(1, 2, 2)),
    (cg.ones(2, 2), cg.ones(2, 2)),
    (cg.ones(2, 2), cg.ones(2)),
    (cg.ones(2), cg.ones(2)),
    (cg.ones(2).bool(), cg.ones(2)),
    (cg.arange(2),),
    (0, cg.arange(2), cg.ones(2), "mean"),
    (0.5,),
    ((2,),),
    ([X],),
    ({"params": [X]},),
    ("a",),
    (np.float32,),
    (lambda *_: None,),
]
PUBLIC = [cg, cg.autograd, engine, nn, cg.optim, cg.optim.lr_scheduler, cg.data, cg.train, replay, kernels]


def classes():
    found = {}
    for module in PUBLIC:
        for name in dir(module):
            kind = getattr(module, name)
            if isinstance(kind, type) and kind.__module__.startswith("cygrad"):
                found[kind] = f"{kind.__module__}.{name}"
    return dict(sorted([(name, kind) for kind, name in found.items()]))


def made(kind):
    """An object on which __init__ has not been called, None where there can be none."""
    try:
        return kind.__new__(kind)
    except TypeError:
        return None


def outcomes(kind, name):
    """What becomes of an attribute of an object that is not initialized, and of calls of it."""
    results = []
    for args in ARGUMENTS:
        try:
            member = getattr(made(kind), name)
            if callable(member):
                value = member(*args)
                if inspect.isgenerator(value):
                    list(value)
            results.append("value")
        except Exception as error:
            results.append(f"{type(error).__name__}: {error}")
    return results


def names_of(kind):
    return [name for name in dir(kind) if name not in ("__class__", "__init__", "__new__", "__init_subclass__")]


def run_program(body):
    """Run a program in a process of its own, since it may crash."""
    source = "from tests.test_objects import *\n" + textwrap.dedent(body)
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", source]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


# Not initialized


def test_no_method_of_any_class_crashes_on_an_object_that_is_not_initialized():
    run_program(
        """
        for name, kind in classes().items():
            if made(kind) is not None:
                for member in names_of(kind):
                    print(name, member, flush=True)
                    outcomes(kind, member)
        """
    )


# Attributes and methods that say or do what does not depend on the object
CONSTANT = {
    Value: {"base", "after_hooks", "hooks", "index", "node", "reducer", "seen_rewrites", "version", "requires_grad", "grad_value"},
    cg.Tensor: {"bfloat16", "cpu", "device", "base", "hooks", "index", "node", "seen_rewrites", "version", "grad_value", "cuda", "graph", "is_cpu", "layout", "is_cuda", "is_mps", "is_xpu", "is_meta", "is_sparse", "is_quantized", "is_nested", "after_hooks", "reducer", "conj", "get_device", "is_complex", "is_conj", "is_inference", "is_neg", "is_pinned", "is_shared",
                "output_nr", "pin_memory", "real", "resolve_conj", "resolve_neg", "retains_grad", "share_memory_", "storage_type"},
    Node: {"args", "depth", "edges", "freed", "hooks", "indices", "needs", "op", "outputs", "saved", "saved_versions"},
    Op: {
        "alone", "by_position", "definition", "definition_rule", "forward", "frame", "frame_rule", "gradient", "inputs", "materialize", "name", "names", "opaque", "required", "rule", "window", "window_rule",
    },
    cg.Generator: {"manual_seed", "seed", "set_state"},
}  # fmt: skip
CONSTANT[nn.Parameter] = CONSTANT[cg.Tensor]


@pytest.mark.parametrize("kind", [*CONSTANT, nn.Module, cg.optim.Optimizer], ids=lambda kind: kind.__name__)
def test_methods_of_an_object_that_is_not_initialized_raise_one_message(kind):
    message = NOT_INITIALIZED.format(kind.__name__).replace("\\", "")
    for name in names_of(kind):
        if name.startswith("_") or name in CONSTANT.get(kind, ()):
            continue
        results = outcomes(kind, name)
        assert not [r for r in results if "'NoneType' object has no attr" in r or "has no attribute '_" in r], (
            name,
            results,
        )
        if kind in CONSTANT:
            assert any([message in r for r in results]), (name, results)


class HalfMade(cg.Tensor):
    def __init__(self):
        pass


class HalfModule(nn.Module):
    def __init__(self):
        self.scale = 2.0

    def forward(self, x):
        return self.layer(x)


USES = {
    "an operand": lambda t: X + t,
    "the first operand": lambda t: t * 2,
    "an operand of a list": lambda t: cg.stack([X, t]),
    "a written operand": lambda t: X.add_(t),
    "a source of a copy": lambda t: X.clone().copy_(t),
    "an index": lambda t: X[t],
    "an argument of a step": lambda t: replayed(t),
    "a gradient": lambda t: (cg.ones(2, requires_grad=True) * 2).backward(t),
    "an output": lambda t: cg.autograd.backward([t]),
    "an input of grad": lambda t: cg.autograd.grad([(cg.ones(1, requires_grad=True) * 2).sum()], [t]),
    "a parameter of an optimizer": lambda t: cg.optim.SGD([t], lr=0.1),
    "a copy": copy.copy,
    "a deep copy": copy.deepcopy,
    "a pickle": pickle.dumps,
    "repr": repr,
    "numpy": np.asarray,
    "data": lambda t: setattr(cg.ones(2), "data", t),
    "Parameter": nn.Parameter,
    "a saved tensor": lambda t: cg.autograd.Function.apply(t),
    "a batch": lambda t: cg.data.TensorDataset(t),
    "save": lambda t: cg.save({"t": t}, os.devnull + ".npz"),
}


def replayed(t):
    step = cg.compile(lambda x: x + 1)
    for _ in range(3):
        step(X)
    return step(t)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_tensor_whose_init_forgot_its_base(use):
    with pytest.raises(RuntimeError, match=NOT_INITIALIZED.format("HalfMade")):
        use(HalfMade())


def test_modules_optimizers_and_generators_that_are_not_initialized():
    for use in (
        lambda m: list(m.parameters()), lambda m: m.state_dict(), lambda m: m.train(), repr, lambda m: m.double(),
        lambda m: list(nn.Sequential(m).parameters()),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=NOT_INITIALIZED.format("HalfModule")):
            use(HalfModule())
    optimizer = cg.optim.Adam.__new__(cg.optim.Adam)
    for use in (lambda o: o.step(), lambda o: o.zero_grad(), lambda o: o.state_dict(), lambda o: o.param_groups):
        with pytest.raises(RuntimeError, match=NOT_INITIALIZED.format("Adam")):
            use(optimizer)
    generator = cg.Generator.__new__(cg.Generator)
    for use in (lambda g: cg.rand(2, generator=g), pickle.dumps, lambda g: g.get_state(), lambda g: g.advance(1)):
        with pytest.raises(RuntimeError, match=NOT_INITIALIZED.format("Generator")):
            use(generator)
    compiled = type(cg.compile(abs)).__new__(type(cg.compile(abs)))
    with pytest.raises(RuntimeError, match=NOT_INITIALIZED.format("CompiledFunction")):
        compiled(X)


# Attributes


def graph():
    """A tensor with a node, the result of the second output of an op, and a leaf."""
    leaf = cg.ones(3, 2, requires_grad=True)
    first, _ = (leaf * 2).max(0)
    values = (leaf * 3).unbind(0)
    return values[2].sum() + first.sum(), values[1], leaf


OWNED = {
    Value: ["base", "index", "node", "seen_rewrites", "version"],
    Node: ["args", "depth", "edges", "freed", "indices", "needs", "op", "outputs", "saved_versions"],
}


@pytest.mark.parametrize("value", [None, 99, -1, "a", [], ()], ids=repr)
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in OWNED.items() for name in names])
def test_attributes_that_the_engine_owns_are_read_only(kind, name, value):
    total, output, _ = graph()
    for thing in (total, output) if kind is Value else (total.node, output.node):
        before = getattr(thing, name)
        with pytest.raises(AttributeError, match="not writable"):
            setattr(thing, name, value)
        with pytest.raises(AttributeError, match=r"not writable|can't delete"):
            delattr(thing, name)
        assert getattr(thing, name) is before


@pytest.mark.parametrize("value", [5, "a", [], X], ids=["5", "a", "list", "tensor"])
@pytest.mark.parametrize("name", ["array", "grad_value", "hooks"])
def test_attributes_that_are_checked(name, value):
    leaf = graph()[2]
    if (name == "grad_value") == (value is X):
        return
    with pytest.raises(TypeError):
        setattr(leaf, name, value)
    assert leaf.array.shape == (3, 2)


HOSTILE = {
    "edges cleared": "total.node.edges.clear()",
    "edges added": "total.node.edges.extend([leaf] * 50)",
    "foreign edges": "total.node.edges[:] = [5, 'a', None]",
    "indices cleared": "[n.indices.clear() for n in nodes if n.indices]",
    "indices that are too large": "[n.indices.__setitem__(slice(None), [9**9] * 5) for n in nodes if n.indices]",
    "negative indices": "[n.indices.__setitem__(slice(None), [-9**9] * 5) for n in nodes if n.indices]",
    "needs cleared": "[n.needs.clear() for n in nodes]",
    "odd saved versions": "[n.saved_versions.append(5) for n in nodes]",
    "no saved versions": "[n.saved_versions.extend([None, None]) for n in nodes]",
    "outputs cleared": "[n.outputs.clear() for n in nodes if n.outputs]",
    "foreign outputs": "[n.outputs.__setitem__(slice(None), [5]) for n in nodes if n.outputs]",
    "hooks of another output": "[setattr(n, 'hooks', {10**6: {0: print}}) for n in nodes]",
    "foreign hooks": "[setattr(n, 'hooks', {'a': 5}) for n in nodes]",
    "hooks of a leaf": "leaf.hooks = {0: 5}",
    "no saved arrays": "[setattr(n, 'saved', ()) for n in nodes]",
    "saved nothing": "[setattr(n, 'saved', None) for n in nodes]",
    "saved other things": "[setattr(n, 'saved', (5, 'a', None, X)) for n in nodes]",
    "a gradient that is not initialized": "leaf.grad_value = made(cg.Tensor)",
    "a gradient of another shape": "leaf.grad_value = cg.ones(7)",
    "a gradient of another dtype": "leaf.grad_value = cg.arange(3)",
}


def nodes_below(node, found):
    if isinstance(node, Node) and node not in found:
        found.append(node)
        for edge in node.edges:
            nodes_below(edge, found)
    return found


def test_lists_of_the_graph_that_python_changed_do_not_crash():
    run_program(
        """
        for change in HOSTILE.values():
            print(change, flush=True)
            for use in (
                lambda: total.backward(), lambda: output.sum().backward(), lambda: cg.autograd.grad(total, [leaf]),
            ):
                total, output, leaf = graph()
                nodes = nodes_below(total.node, [])
                try:
                    exec(change)
                    use()
                except Exception as error:
                    print(error)
        graph()[0].backward()
        """
    )


def test_functions_of_the_engine_do_not_crash():
    run_program(
        """
        import itertools

        calls = [getattr(cg.autograd.leaves, name) for name in cg.autograd.leaves.__all__]
        for name, call in vars(engine).items():
            ours = getattr(call, "__module__", "") == engine.__name__ or isinstance(call, type(engine.wrap))
            if callable(call) and ours and name != "use_value_type":
                calls.append(call)
        bad = [None, 5, X, made(cg.Tensor), made(Node), made(Op), made(Value), np.ones(2), [None], [made(cg.Tensor)], {}]
        for call in calls:
            print(call, flush=True)
            for count in range(4):
                for args in itertools.product(bad, repeat=count):
                    try:
                        call(*args)
                    except Exception:
                        pass
        """
    )


# Programs


def program():
    layer = nn.Linear(2, 2)
    optimizer = cg.optim.Adam(layer.parameters())

    def step(x):
        optimizer.zero_grad()
        loss = layer(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    compiled = cg.compile(step)
    for _ in range(3):
        compiled(X)
    return compiled, compiled.programs()[0]


def test_programs_that_python_changed_do_not_crash():
    run_program(
        """
        for part in ("inputs", "guards", "effects", None):
            compiled, recorded = program()
            thing = recorded.replay if part is None else getattr(recorded.replay, part)
            for name in names_of(type(thing)):
                value = getattr(thing, name, None)
                for change in ("value.clear()", "value.append(None)", "value.insert(0, 5)", f"thing.{name} = None"):
                    try:
                        exec(change)
                    except (AttributeError, TypeError):
                        continue
                    for call in (lambda: compiled(X), lambda: recorded.replay([X]), lambda: recorded.replay([None]),
                                 lambda: recorded.replay([]), lambda: recorded.replay([cg.ones(500, 500)])):
                        try:
                            call()
                        except Exception as error:
                            print(name, change, error)
        """
    )


def test_launches_check_names_and_indices():
    _, recorded = program()
    for event in recorded.launches:
        for single in launches_of(event):
            for name in single.names:
                refused = 0
                for call in (single.number, single.numbers, single.addresses):
                    try:
                        call(name)
                    except TypeError as error:
                        assert "is of another kind" in str(error)
                        refused += 1
                assert refused >= 2
            with pytest.raises((TypeError, IndexError)):
                single.set_address(single.names[0], 99, 0)
            with pytest.raises(KeyError):
                single.number("unknown")
    for number in (-1, 10**6):
        with pytest.raises(ValueError, match=f"there is no kernel {number}"):
            kernels.Launch(number, 0)
    with pytest.raises(ValueError, match="a program: 1 launches need as many barriers, got 0"):
        kernels.Segment([single], [])
    with pytest.raises(TypeError, match="a program: expected a launch, got None"):
        kernels.Segment([None], [False])
