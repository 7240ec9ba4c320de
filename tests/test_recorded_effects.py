"""Recorded steps that write, alias, keep and create: each does what eager mode does, to the bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import cygrad as cg
from cygrad.compiler.record.arguments import Arguments
from cygrad.compiler.replay.replay import Inputs


def bits(value):
    """Dtype, shape and bytes of every tensor in a nested value."""
    if isinstance(value, cg.Tensor):
        return value.array.dtype.str, value.shape, value.array.tobytes()
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    return [bits(item) for item in value] if isinstance(value, (list, tuple)) else value


def assert_same(make, calls, compiled=cg.compile):
    """make() returns a function and what else it changes; calls(number) its arguments. After every call, the result,
    the arguments and the rest have the bits of eager mode. Returns the compiled function."""
    histories = []
    for wrap in (lambda function: function, compiled):
        cg.manual_seed(0)
        function, *rest = make()
        function = wrap(function)
        history = []
        for number in range(8):
            args = calls(number)
            history.append(bits([function(*args), args, rest]))
        histories.append(history)
    for number, (eager, replayed) in enumerate(zip(*histories)):
        assert replayed == eager, f"call {number}"
    return function


def vector(number, n=3):
    return cg.Tensor(np.random.default_rng(number).standard_normal(n).astype(np.float32))


# Memory that a step uses between its launches

DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]


@pytest.mark.parametrize("op", [cg.add, cg.sub], ids=lambda op: op.name)
@pytest.mark.parametrize(("first", "second"), list(itertools.product(DTYPES, repeat=2)))
def test_a_converted_operand_is_converted_again(op, first, second):
    # The operand is converted in NumPy; the result may then be allocated at the address of the converted operand.
    if "bool" in (first, second) and (op is cg.sub or first == second):
        pytest.skip("booleans are not subtracted, or multiplied by a number")

    def arguments(number):
        rng = np.random.default_rng(number)
        return [cg.Tensor(rng.integers(0, 2, 4).astype(dtype)) for dtype in (first, second)]

    for alpha in (2, 3) if "float" not in first + second else (2, 0.5):
        function = assert_same(lambda alpha=alpha: [lambda a, b: op(a, b, alpha=alpha)], arguments)
        assert function.programs()[0].replay.runs


CREATED = {
    "arange": lambda: cg.arange(3.0), "linspace": lambda: cg.linspace(0, 1, 3), "logspace": lambda: cg.logspace(0, 1, 3),
    "eye": lambda: cg.eye(3), "tensor": lambda: cg.tensor([1.0, 2.0, 3.0]), "new_tensor": lambda: cg.ones(1).new_tensor([1, 2, 3]),
    "zeros": lambda: cg.zeros(3), "full": lambda: cg.full((3,), 2.0), "ones_like": lambda: cg.ones_like(cg.zeros(3)),
}  # fmt: skip


@pytest.mark.parametrize("name", CREATED)
def test_a_tensor_that_a_step_creates_begins_anew(name):
    def step(x):
        z = CREATED[name]()
        z += x
        z *= 2
        return z + 1

    assert assert_same(lambda: [step], lambda n: [vector(n)]).programs()[0].replay.runs


def test_a_tensor_is_filled_with_the_number_that_another_one_holds():
    step = assert_same(lambda: [lambda x: cg.full((2,), x.sum())], lambda n: [vector(n)])
    assert step.programs()[0].replay.runs


def test_a_permutation_of_another_dtype_is_drawn_again():
    step = assert_same(lambda: [lambda x: (cg.randperm(9, dtype=np.int32), x * 1)], lambda n: [vector(n)])
    assert step.programs()[0].replay.runs


# Copies inside one array

MOVES = {
    "up": lambda s: s[1:].copy_(s[:-1]), "down": lambda s: s[:-1].copy_(s[1:]), "far": lambda s: s[1000:].copy_(s[:-1000]),
    "itself": lambda s: s.copy_(s), "by index": lambda s: s.__setitem__(slice(1, None), s[:-1]), "fill": lambda s: s[1:].add_(s[:-1]),
}  # fmt: skip


@pytest.mark.parametrize("move", MOVES)
def test_copies_inside_one_array(move):
    threads = cg.get_num_threads()
    cg.set_num_threads(2)  # with which a launch of this size is shared

    def make():
        state = cg.arange(3_000_001).float()

        def step(x):
            MOVES[move](state)
            state[:1].copy_(x)
            return state.sum()

        return step, state

    try:
        step = assert_same(make, lambda n: [vector(n, 1)])
    finally:
        cg.set_num_threads(threads)
    assert step.programs()[0].replay.runs


# Arguments


def matrix(seed, rows=4, columns=6, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(dtype)


WRITES = {
    "copy_": lambda h: h.copy_(h * 0.5 + 1), "operator": lambda h: h.__imul__(1.5), "add_": lambda h: h.add_(1),
    "setitem": lambda h: h.__setitem__(0, h[1] * 2), "setitem of all": lambda h: h.__setitem__(..., h * 0.5),
    "a number": lambda h: h.__setitem__(..., 3.0), "fill_": lambda h: h.fill_(2), "zero_": lambda h: h.zero_(),
    "a view": lambda h: h[1:].add_(h[0]), "detached": lambda h: h.detach().add_(1), "data": lambda h: h.data.add_(1),
    "row by row": lambda h: [row.mul_(2) for row in h],
    "masked_fill_": lambda h: h.masked_fill_(h > 1, 0.5), "clamp_": lambda h: h.clamp_(-1, 1), "noise": lambda h: h.add_(cg.rand(1)),
}  # fmt: skip

LAYOUTS = {
    "rows": lambda a: a, "columns": lambda a: np.asfortranarray(a), "transposed": lambda a: a.T.copy().T, "gaps": lambda a: np.repeat(a, 3, 1)[:, ::3],
    "rows with gaps": lambda a: np.repeat(a, 2, 0)[::2], "backward": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "rows of columns": lambda a: np.asfortranarray(np.vstack([a, a, a]))[len(a) : 2 * len(a)], "double": lambda a: a.astype(np.float64),
    "unaligned": lambda a: np.frombuffer(bytearray(b"x" + a.tobytes()), np.uint8)[1:].view(a.dtype).reshape(a.shape),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("write", WRITES)
def test_what_a_step_writes_to_an_argument(write, layout):
    step = assert_same(
        lambda: [lambda h: (WRITES[write](h), h.sum())[1]], lambda n: [cg.Tensor(LAYOUTS[layout](matrix(n)))]
    )
    assert step.programs()[0].replay.runs == 6


@pytest.mark.parametrize("dtype", ["float64", "int64", "int32", "uint8", "bool"])
def test_writes_of_every_dtype(dtype):
    arguments = [None]

    def make():
        arguments[0] = [cg.Tensor(np.arange(6).astype(dtype)), cg.Tensor(np.array(1, dtype))]
        return [lambda h, one: (h[1:].copy_(h[:-1]), h[:1].copy_(one), one.copy_(h[5]), None)[-1]]

    assert assert_same(make, lambda n: arguments[0]).programs()[0].replay.runs == 6


def test_a_step_that_only_reads_copies_nothing_back():
    x = cg.Tensor(matrix(0))
    x.array.flags.writeable = False
    step = assert_same(lambda: [lambda x: (x @ x.T, x)[0]], lambda n: [x])
    assert step.programs()[0].replay.runs == 6 and x.version.value == 0


def test_backward_notices_the_writes_of_a_replay():
    step = cg.compile(lambda h: (h.mul_(2), h.add_(1), None)[-1])
    versions = []
    for _ in range(5):
        w, h = cg.ones(3, requires_grad=True), cg.ones(3)
        loss = (w * h).sum()
        step(h)
        versions.append(h._version if hasattr(h, "_version") else h.version.value)
        with pytest.raises(RuntimeError, match="mul: a tensor that its backward needs was changed in place"):
            loss.backward()
    assert versions == [2] * 5


def test_an_argument_that_can_not_be_written_raises_as_in_eager_mode():
    step = cg.compile(lambda h: h.add_(1))
    for _ in range(4):
        step(cg.ones(3))
    x = cg.ones(3)
    x.array.flags.writeable = False
    with pytest.raises(ValueError, match="in-place: the tensor's memory is read-only"):
        step(x)


def test_an_argument_that_is_returned_is_the_callers():
    step = cg.compile(lambda h, x: {"h": h.add_(x), "x": x, "sum": h + x})
    for n in range(5):
        h, x = vector(n), vector(n + 1)
        result = step(h, x)
        assert result["h"] is h and result["x"] is x and result["sum"] is not h
    returned = cg.compile(lambda h: h)
    assert all([returned(h) is h for _ in range(5)])


CONTAINERS = {
    "dict": (lambda h: {"state": h, "one": 1}, lambda d: d["state"]), "list": (lambda h: [h, 1], lambda d: d[0]),
    "nested": (lambda h: {"a": [(h, 2)]}, lambda d: d["a"][0][0]),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONTAINERS)
def test_tensors_inside_of_containers(kind):
    pack, get = CONTAINERS[kind]
    arguments = [None]

    def make():
        arguments[0] = [pack(vector(0)), vector(1)]
        return [lambda d, x: (get(d).copy_(get(d) * 0.5 + x), get(d).sum())[1]]

    assert assert_same(make, lambda n: arguments[0]).programs()[0].replay.runs == 6


REPLACES = {
    "an item": lambda d: d.__setitem__("h", d["h"] * 2), "a new item": lambda d: d.__setitem__("new", d["h"] * 2),
    "a pop": lambda d: d["list"].append(d["list"].pop(0) + 1),
    "memory": lambda d: setattr(d["h"], "data", d["h"] + 1),
}  # fmt: skip


@pytest.mark.parametrize("name", REPLACES)
def test_a_step_that_replaces_what_an_argument_contains_runs_eagerly(name):
    arguments = [None]

    def make():
        arguments[0] = [{"h": vector(0), "list": [vector(1), vector(2)]}]
        return [lambda d: (REPLACES[name](d), d["h"].sum())[1]]

    with pytest.warns(
        RuntimeWarning, match="runs eagerly: it (changes a (list|dict) that is an|replaces the memory of an) argument"
    ):
        assert_same(make, lambda n: arguments[0])


def test_an_argument_that_becomes_part_of_the_graph_runs_eagerly():
    w = cg.ones(3, requires_grad=True)
    step = cg.compile(lambda h: h.copy_(w * 3).sum().detach())
    step(cg.ones(3))
    h = cg.full((3,), 2.0)
    with pytest.warns(RuntimeWarning, match="it makes an argument part of the graph"):
        step(h)
    h.sum().backward()
    assert h.requires_grad and w.grad.tolist() == [3.0] * 3


# Arguments that share memory

SHARING = {
    "the same tensor": lambda a: [a, a], "a view": lambda a: [a, a[2:]], "overlapping views": lambda a: [a[:4], a[2:]],
    "views side by side": lambda a: [a[:3], a[3:]], "interleaved": lambda a: [a[::2], a[1::2]], "two tensors": lambda a: [a, vector(7, 6)],
    "another order": lambda a: [a, cg.Tensor(a.array[::-1])], "detached": lambda a: [a, a.detach()], "data": lambda a: [a.data, a],
    "a dict": lambda a: [a[:2], {"rest": a[1:]}["rest"]], "matrix and row": lambda a: [a.view(2, 3), a.view(2, 3)[1]],
}  # fmt: skip


def write_both(a, b):
    a.add_(1)
    b.mul_(1.5)
    a[:1].copy_(b[-1:].sum() if a.ndim == 1 else a[1:])
    return a.sum() + b.sum()


@pytest.mark.parametrize("sharing", SHARING)
def test_arguments_that_share_memory(sharing):
    arguments = [None]

    def make():
        arguments[0] = SHARING[sharing](vector(0, 6))
        return [write_both]

    assert assert_same(make, lambda n: arguments[0]).programs()[0].replay.runs == 6


def test_programs_of_arguments_that_share_memory_in_different_ways():
    ways = [lambda a: [a, a], lambda a: [a[:], vector(9, 6)], lambda a: [vector(9, 6), a], lambda a: [a, a[:]]]
    others = [
        lambda a: [a[:4], a[2:]],
        lambda a: [a[2:], a[:4]],
        lambda a: [a[1:5], a[2:]],
        lambda a: [a[:4], vector(9, 4)],
    ]
    for kinds in (ways, others):
        assert_same(lambda: [write_both], lambda n, kinds=kinds: kinds[n // 2 if n < 8 else n % 4](vector(n, 6)))

        def calls(n, kinds=kinds):
            return kinds[(n * 7) % 4](vector(n, 6))

        assert_same(lambda: [write_both], calls)


OUTSIDE = {
    "the step writes outside": lambda x, state: (state.add_(1), x.sum())[1],
    "the step writes the argument": lambda x, state: (x.add_(1), state.sum())[1],
    "the step reads both": lambda x, state: x.sum() + state.sum(),
    "the step reads, then writes": lambda x, state: (x * 2, state.mul_(2), x * 2),
}  # fmt: skip


@pytest.mark.parametrize("late", [0, 4])
@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.filterwarnings(
    "ignore:compile. .* runs eagerly. an argument shares memory with another tensor:RuntimeWarning"
)
def test_an_argument_that_shares_memory_with_a_tensor_of_the_step(name, late):
    arguments, other = [None], [None]

    def make():
        state = vector(0, 6)
        arguments[0], other[0] = [state[1:4]], [vector(1, 3)]
        return [lambda x: OUTSIDE[name](x, state), state]

    assert_same(make, lambda n: arguments[0] if n >= late and n % 3 else other[0])


def test_a_parameter_as_an_argument():
    def make():
        layer = cg.nn.Linear(3, 2)
        optimizer = cg.optim.SGD(layer.parameters(), 0.1)
        arguments[0] = [layer.weight.detach(), vector(1)]

        def step(w, x):
            optimizer.zero_grad()
            before = w.sum()
            layer(x).sum().backward()
            optimizer.step()
            return before, w.sum()

        return step, layer.weight

    arguments = [None]
    with pytest.warns(RuntimeWarning, match="an argument shares memory with another tensor that it uses"):
        assert_same(make, lambda n: arguments[0])


# Layouts


@pytest.mark.parametrize("layout", LAYOUTS)
def test_products_and_sums_have_the_bits_of_their_layout(layout):
    def make():
        dtype = np.float64 if layout == "double" else np.float32
        weight = cg.Tensor(matrix(99, 200, 7, dtype), requires_grad=True)

        def step(x, y):
            weight.grad = None
            z = x @ y.T
            (x @ weight).exp().mean().backward()
            return z, x.sum(), x.sum(0), x.mean(1), x.softmax(0), x.var(), x.T @ y, x.cumsum(0), weight.grad.clone()

        return [step]

    def arguments(number):
        return [cg.Tensor(LAYOUTS[layout](matrix(number + i, 33, 200))) for i in (0, 50)]

    assert assert_same(make, arguments).programs()[0].replay.runs == 6


def test_the_buffer_of_a_batch_is_not_as_large_as_the_data():
    data = np.asfortranarray(np.zeros((100_000, 20), np.float32))
    step = cg.compile(lambda x: x.sum())
    for start in range(5):
        step(cg.Tensor(data[start : start + 10]))
    (program,) = step.programs()
    assert program.replay.inputs.buffers[0].base.nbytes < 2000


# Errors in between


def test_a_fault_leaves_the_arguments():
    step = cg.compile(lambda h, i: (h.add_(1), cg.nn.functional.embedding(i, h), None)[-1])
    h = cg.Tensor(matrix(0))
    for _ in range(4):
        step(h, cg.tensor([1, 2]))
    before = h.tolist()
    with pytest.raises(IndexError):
        step(h, cg.tensor([1, 99]))
    assert h.tolist() == before


def test_an_error_in_the_recorded_call_keeps_what_was_written():
    def step(h, flag):
        h.add_(1)
        if flag[0]:
            raise ValueError("a reason")
        return h.sum()

    flag = Flag()
    compiled, h = cg.compile(step), cg.ones(3)
    compiled(h, flag)
    flag.raised = True
    with pytest.raises(ValueError, match="a reason"):
        compiled(h, flag)
    assert h.tolist() == [3.0] * 3


class Flag:
    raised = False

    def __getitem__(self, key):
        return self.raised


def test_epochs_and_jobs():
    data = cg.Tensor(matrix(0, 40, 6))

    def fit(seed):
        total = vector(seed, 6)

        @cg.compile
        def step(x):
            x.mul_(2)
            return x.sum(0) + total

        losses = [step.epoch(data, batch_size=8) for _ in range(3)]
        state = cg.zeros(6)
        add = cg.compile(lambda h, x: (h.add_(x), None)[-1])
        for _ in range(5):
            add(state, total)
        return bits([losses, state])

    before = bits(data)
    results = [cg.parallel_map(fit, range(4), threads=threads) for threads in (1, 3)]
    assert results[0] == results[1] and bits(data) == before
    assert results[0][1] == fit(1)


# Tensors that a step keeps


class Keeper:
    """An object with a step that keeps tensors."""

    def __init__(self, keep):
        self.keep = keep
        self.last, self.cache, self.history, self.nested = None, {}, [], {"deep": {"list": [0, 0]}}

    def step(self, x):
        y = x * 2
        self.keep(self, x, y)
        return y.exp().sum()


last = None


def keep_in_global(_, x, y):
    global last
    last = y + 1


KEEPS = {
    "an attribute": lambda s, x, y: setattr(s, "last", y), "a view": lambda s, x, y: setattr(s, "last", y.detach().tanh()[1:]),
    "a tuple": lambda s, x, y: setattr(s, "last", (y, y + 1)), "a new dict": lambda s, x, y: setattr(s, "last", {"y": y, "n": [y + 1, 3]}),
    "a dict": lambda s, x, y: s.cache.update(y=y), "append": lambda s, x, y: s.history.append(y + 1),
    "append of two": lambda s, x, y: s.history.extend([y, (y + 1, x * 3)]), "an item": lambda s, x, y: s.nested["deep"]["list"].__setitem__(1, y),
    "a slice": lambda s, x, y: s.history.__setitem__(slice(None), [y]), "a global": keep_in_global, "an argument": lambda s, x, y: setattr(s, "last", x),
    "an argument in a dict": lambda s, x, y: s.cache.update(x=x, y=y), "two places": lambda s, x, y: (setattr(s, "last", y), s.history.append(y)),
}  # fmt: skip


@pytest.mark.parametrize("kind", KEEPS)
def test_what_a_step_keeps_is_that_of_the_latest_call(kind):
    sizes = [3, 3, 3, 5, 5, 5, 3, 5]
    histories = []
    for wrap in (lambda function: function, cg.compile):
        keeper = Keeper(KEEPS[kind])
        step, history = wrap(keeper.step), []
        for number in (*range(8), *range(8)):
            x = vector(number, sizes[number])
            history.append(bits([step(x), keeper.last, keeper.cache, keeper.history, keeper.nested, last]))
            if kind.startswith("an argument"):
                assert (keeper.last if kind == "an argument" else keeper.cache["x"]) is x
        histories.append(history)
    assert histories[1] == histories[0]
    assert [program.replay.runs > 1 for program in step.programs()] == [True, True]


def test_what_a_step_keeps_under_a_name_of_the_enclosing_function():
    latest = None

    @cg.compile
    def step(x):
        nonlocal latest
        latest = x + 1
        return x * 2

    for n in (*[2] * 4, *[3] * 4, 2, 3, 2):
        step(cg.full((n,), float(n)))
        assert latest.tolist() == [n + 1.0] * n
    before = latest
    step(cg.zeros(2))
    assert before.tolist() == [3.0] * 2, "the caller's own"


def test_a_module_that_keeps_its_activation():
    class Model(cg.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.seen = cg.nn.Linear(3, 2), None

        def forward(self, x):
            self.seen = self.layer(x).detach()
            return self.seen.sum()

    model = Model()
    step = cg.compile(model.forward)
    for n in (*[2] * 4, *[3] * 4, 2, 3, 2, 2):
        x = cg.Tensor(matrix(n, n, 3))
        step(x)
        model.training  # noqa: B018
        assert model.seen.tolist() == model.layer(x).tolist()
        cg.nn.Linear(1, 1).requires_grad_(False)  # lets the guards compare the modules
    assert len(step.programs()) == 2


def test_epochs_keep_tensors():
    data = cg.Tensor(matrix(0, 40, 3))
    results = []
    for wrap in (lambda f: f, cg.compile):
        keeper = Keeper(KEEPS["an attribute"])
        step = wrap(keeper.step)
        for _ in range(3):
            for start in range(0, 40, 8) if wrap is not cg.compile else ():
                step(data[start : start + 8])
            if wrap is cg.compile:
                step.epoch(data, batch_size=8)
        results.append(bits(keeper.last))
    assert results[0] == results[1]


class Box:
    def __init__(self, value):
        self.value = value


def test_a_tensor_in_a_new_object_runs_eagerly():
    keeper = Keeper(lambda s, x, y: setattr(s, "last", Box(y)))
    step = cg.compile(keeper.step)
    step(vector(0))
    with pytest.warns(RuntimeWarning, match="it keeps a tensor in a new Box"):
        step(vector(1))
    for n in range(4):
        step(vector(n))
        assert keeper.last.value.tolist() == (vector(n) * 2).tolist()


# The first replay


def differing(kind):
    """A step that a program can't follow, and what else it changes."""
    cg.manual_seed(5)
    model = cg.nn.Sequential(cg.nn.Linear(3, 4), cg.nn.BatchNorm1d(4), cg.nn.Dropout(0.3), cg.nn.Linear(4, 2))
    optimizer = cg.optim.AdamW(model.parameters(), lr=0.01)
    numbers, total = itertools.count(1), cg.zeros(3)

    def step(x):
        calls = [next(numbers)]  # which no guard sees
        optimizer.zero_grad()
        y = model(x)
        if kind == "number":
            y = y * float(calls[0])
        if kind == "branch" and calls[0] > 2:
            y = y.tanh()
        if kind == "reading" and calls[0] > 2:
            y = y * y.sum().item()
        loss = y.square().mean()
        loss.backward()
        optimizer.step()
        total.add_(x.sum(0))
        x.mul_(0.5)
        return loss, int(calls[0]) if kind == "result" else 0

    def state():
        moments = [value for s in optimizer.state_dict()["state"].values() for value in s.values()]
        return [
            dict(model.state_dict()),
            [p.grad for p in model.parameters()],
            moments,
            total,
            repr(numbers),
            cg.get_rng_state(),
        ]

    return step, state


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("number", "mul, recorded as event .* differs from eager mode in 8 of 8 elements"),
        ("branch", "tanh now where .* was recorded, as event"),
        ("reading", "item reads values into Python, at .*test_recorded_effects.py"),
        ("result", "its result is 2 instead of 3"),
    ],
)
def test_a_first_replay_that_differs_counts_as_one_eager_call(kind, message):
    histories = []
    for wrap in (lambda function: function, cg.compile):
        step, state = differing(kind)
        step, history = wrap(step), []
        for number in range(7):
            x = cg.Tensor(matrix(number, 4, 3))
            if number == 2 and wrap is cg.compile:
                with pytest.warns(
                    RuntimeWarning, match=f"runs eagerly: the first replay differs from eager mode: {message}"
                ):
                    result = step(x)
            else:
                result = step(x)
            history.append(bits([result, x, state()]))
        histories.append(history)
    assert histories[1] == histories[0]
    assert step.programs() == []


def test_a_first_replay_that_agrees_counts_as_one_call():
    histories = []
    for wrap in (lambda function: function, cg.compile):
        step, state = differing("none")
        step, history = wrap(step), []
        for number in range(7):
            x = cg.Tensor(matrix(number, 4, 3))
            result = step(x)
            *rest, calls, random = state()
            history.append(bits([result, x, rest, random, x.version.value]))
        histories.append(history)
    assert histories[1] == histories[0] and calls == "count(4)"
    (program,) = step.programs()
    assert program.is_checked and program.replay.runs == 5


CALLS = []


@pytest.mark.parametrize("check", [True, False, "first"])
def test_the_comparison_can_be_chosen(check):
    CALLS.clear()

    @cg.compile(check=check)
    def step(x):
        CALLS.append(1)
        return x * 2

    for _ in range(6):
        step(cg.ones(2))
    assert len(CALLS) == {True: 6, False: 2, "first": 3}[check]
    with pytest.raises(ValueError, match="compile: check must be \"first\", True or False, got 'never'"):
        cg.compile(step, check="never")


def test_fullgraph_raises_where_the_first_replay_differs():
    step, _ = differing("number")
    step = cg.compile(step, fullgraph=True)
    for n in range(2):
        step(cg.Tensor(matrix(n)[:, :3].copy()))
    with pytest.raises(RuntimeError, match="the first replay differs from eager mode"):
        step(cg.Tensor(matrix(2)[:, :3].copy()))


def test_an_error_in_the_compared_call_is_that_of_eager_mode():
    embed = cg.nn.Embedding(5, 2)
    step = cg.compile(lambda i: embed(i).sum().detach())
    for _ in range(2):
        step(cg.tensor([1, 2]))
    with pytest.raises(IndexError):
        step(cg.tensor([1, 9]))
    assert step(cg.tensor([1, 2])).item() == step.function(cg.tensor([1, 2])).item()
    assert step.programs()[0].is_checked


@pytest.mark.parametrize("ops", ["neg_", "relu_", "neg_ relu_", "relu_ neg_", "tanh_ relu_", "neg_ abs_"])
@pytest.mark.parametrize("alias", ["data", "detach()", "detach()[1:]"])
def test_a_result_in_memory_from_before_the_step_stays_there(ops, alias):
    def make():
        p = cg.tensor(np.array([1.0, -2.0, 0.5, -0.0])).requires_grad_()
        names = {"p": p}
        body = "; ".join(["c = p." + alias, *[f"c.{op}()" for op in ops.split()], "return c.detach()"])
        exec(f"def step(): {body}", names)  # a function of no module
        return names["step"], p

    step = assert_same(make, lambda number: ())
    assert step.programs()
    if alias in ("data", "detach()"):
        assert step().data_ptr() == step().data_ptr()


def test_a_gradient_that_a_step_makes_starts_anew_in_each_call():
    histories = []
    for wrap in (lambda function: function, cg.compile):
        p = cg.tensor([1.0, -2.0]).requires_grad_()

        def step(p=p):
            p.grad = cg.ones_like(p)

        run = wrap(step)
        seen = []
        for _ in range(5):
            run()
            seen.append(p.grad.tolist())
            p.grad.mul_(2)
        histories.append(seen)
    assert histories[0] == histories[1] == [[1.0, 1.0]] * 5
    assert run.programs()


def test_an_argument_whose_memory_another_thread_replaces_is_recorded_as_it_was():
    x = cg.ones(3, 4)
    array = x.array
    arguments = Arguments((x,), {}, [x], None)
    x.data = cg.full((1, 1), 9.0)
    arguments.values[0].mul_(2)
    assert arguments.write_back([]) is None
    inputs = Inputs(arguments.flat, arguments.given, arguments.buffers, None, arguments.groups)
    assert inputs.specs[0].shape == (3, 4) and (array == 2).all() and x.tolist() == [[9.0]]


def test_a_tensor_whose_history_is_lost_can_be_looked_at():
    p = cg.ones(3, requires_grad=True)
    a = p * 2
    view = a[:2]
    alias = a.detach()
    alias -= p
    for tensor in (a, view, alias):
        assert tensor.requires_grad in (True, False) and tensor.is_leaf in (True, False)
    with pytest.raises(RuntimeError, match="changed in place"):
        a.sum().backward()


def test_memory_that_contains_signalling_nan_is_restored_without_a_warning():
    """As memory that nobody has set may."""
    contents = np.full(64, 0x7F800001, np.uint32).view(np.float32)

    def step(x):
        y = cg.tensor(contents)
        y[:2] = x
        return y[:3] * 1

    function = cg.compile(step)
    for value in range(4):
        assert function(cg.full((2,), float(value)))[:2].tolist() == [value, value]
    assert len(function.programs()) == 1
