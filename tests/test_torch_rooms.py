"""Small modules of PyTorch: the CPU as a device, times of statements, ``__torch_function__``, hooks on several tensors."""

from __future__ import annotations

import pytest

import cygrad as cg
from cygrad import cpu, overrides
from cygrad.autograd import several
from cygrad.data import DataLoader, TensorDataset
from cygrad.utils import benchmark


def test_the_cpu_is_a_device():
    assert cpu.is_available() and cpu.is_initialized() and cpu.device_count() == 1 and cpu.current_device() == "cpu"
    cpu.synchronize()
    cpu.set_device("cpu")
    with cpu.stream(cpu.Stream()), cpu.stream(None):
        stream = cpu.current_stream()
        stream.wait_stream(cpu.Stream())
        event = stream.record_event()
        stream.wait_event(event)
        event.wait(), event.synchronize(), event.record()
        assert event.query()
    with pytest.raises(ValueError, match="set_device: cygrad computes on the CPU only"):
        cpu.set_device("cuda")


def clock(step):
    now = [0.0]

    def read():
        now[0] += step
        return now[0]

    return read


def test_statements_are_timed():
    ran = []
    timer = benchmark.Timer("f()", "x = 1", globals={"f": lambda: ran.append(1)}, timer=clock(0.004), label="sums", sub_label="small", description="eager")
    once = timer.timeit(40)
    assert len(ran) == 42 and once.times == [pytest.approx(0.0001)] and once.mean == once.median and once.iqr == 0
    assert repr(once) == "sums: small\neager\n  100 us\n  1 measurement, 40 runs, 1 thread"
    many = timer.blocked_autorange(min_run_time=0.05)
    assert len(many.times) == 13 and many.median == pytest.approx(0.004 / many.number_per_run)
    assert "Median: 4 ms" in repr(many) and "13 measurements" in repr(many)
    seen = []
    steady = timer.adaptive_autorange(callback=lambda number, seconds: seen.append(number))
    assert len(seen) == len(steady.times) == 4
    slow = benchmark.Timer("pass", timer=clock(0.5), label="sums", sub_label="large", description="eager").timeit(1)
    other = benchmark.Timer("pass", timer=clock(0.01), label="sums", sub_label="small", description="compiled", num_threads=2).timeit(1)
    table = benchmark.Compare([once, slow])
    table.extend_results([other])
    table.trim_significant_figures(), table.colorize()
    assert str(table).splitlines() == [
        "sums",
        "            eager  compiled",
        "1 thread:",
        "  small       100",
        "  large     5e+05",
        "2 threads:",
        "  small               1e+04",
        "Times are in us.",
    ]
    threads = cg.get_num_threads()
    with pytest.raises(ZeroDivisionError):
        benchmark.Timer("1 / 0").timeit(1)
    assert cg.get_num_threads() == threads
    with pytest.raises(ValueError, match="Timer: stmt must be a string, got function"):
        benchmark.Timer(lambda: None)


class Base:
    def __torch_function__(self, func, types, args, kwargs):
        return ("base", func.__name__, args, kwargs)


class Derived(Base):
    def __torch_function__(self, func, types, args, kwargs):
        return NotImplemented if kwargs else "derived"


def test_classes_answer_calls_of_functions():
    @overrides.wrap_torch_function(lambda x, y=None, **options: (x, y))
    def double(x, y=None, **options):
        return x * 2

    assert double(3) == 6 and double(Base(), 1)[0] == "base"
    assert double(Base(), Derived()) == "derived" and double(Base(), Derived(), a=1)[0] == "base"
    with pytest.raises(TypeError, match="double: __torch_function__ of Derived returned NotImplemented"):
        double(Derived(), a=1)
    assert overrides.is_tensor_like(cg.ones(1)) and overrides.is_tensor_like(Base()) and not overrides.is_tensor_like(1.0)
    assert not overrides.has_torch_function([cg.ones(1), 2]) and overrides.has_torch_function_unary(Base())
    assert overrides.has_torch_function_variadic(1, Base())
    assert overrides.is_tensor_method_or_property(cg.Tensor.sum) and not overrides.is_tensor_method_or_property(double)
    assert overrides.resolve_name(len) == "builtins.len"


def test_a_hook_on_several_tensors():
    x, y, z = (cg.ones(2, requires_grad=True) for _ in range(3))
    middle = x * 2
    seen, first = [], []
    handle = several.register_multi_grad_hook([middle, y, z], seen.append)
    some = several.register_multi_grad_hook([middle, y, z], lambda gradient: first.append(gradient.tolist()), mode="any")
    (middle * y).sum().backward()
    assert [None if g is None else g.tolist() for g in seen[0]] == [[1.0, 1.0], [2.0, 2.0], None] and len(first) == 1
    middle = x * 2
    (z * 3).sum().backward()
    cg.autograd.grad((z * 4).sum(), z)
    assert [[g is not None for g in gradients] for gradients in seen[1:]] == [[False, False, True]] * 2
    assert first[1:] == [[3.0, 3.0], [4.0, 4.0]]
    handle.remove(), some.remove()
    z.sum().backward()
    assert len(seen) == 3 and len(first) == 3
    for wrong in ((([x],), {"mode": "some"}), (([],), {})):
        with pytest.raises(ValueError, match="register_multi_grad_hook: expected tensors, and mode all or any"):
            several.register_multi_grad_hook(*wrong[0], len, **wrong[1])


def test_an_error_in_a_pass_leaves_no_call_behind():
    x, seen = cg.ones(2, requires_grad=True), []
    handle = several.register_multi_grad_hook([x], seen.append)

    def fail(gradient):
        raise KeyError("own")

    other = x.register_hook(fail)
    with pytest.raises(KeyError):
        x.sum().backward()
    other.remove(), handle.remove()
    x.sum().backward()
    assert seen == []


def test_a_pass_inside_of_a_hook_ends_alone():
    x, y, seen = cg.ones(1, requires_grad=True), cg.ones(1, requires_grad=True), []
    several.register_multi_grad_hook([x, y], lambda gradients: seen.append([g is not None for g in gradients]))
    inner = cg.ones(1, requires_grad=True)
    middle = y * 2
    middle.register_hook(lambda gradient: (inner * 2).sum().backward())
    y.register_hook(lambda gradient: (inner * 2).sum().backward())
    (x * middle).sum().backward()
    assert seen == [[True, True]] and inner.grad.item() == 4


def test_other_names_of_the_graph():
    x = cg.ones(2, requires_grad=True)
    y = x * 2
    assert several.get_gradient_edge(y) == (y.grad_fn, 0)
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        several.get_gradient_edge(cg.ones(1))
    with several.save_on_cpu():
        z = y.square()
    several.increment_version([y])
    with pytest.raises(RuntimeError, match=r"in place|modified|changed"):
        z.sum().backward()


def test_private_properties_of_loaders_may_be_overridden():
    class Batches(DataLoader):
        @property
        def _auto_collation(self):
            return None

        @property
        def _index_sampler(self):
            return self.batch_sampler

    class Counted(DataLoader):
        @property
        def _index_sampler(self):
            return [[2, 0], [1]]

    data = TensorDataset(cg.arange(5), cg.arange(5) * 2)
    assert [[part.tolist() for part in batch] for batch in Batches(data, 2)] == [[[0, 1], [0, 2]], [[2, 3], [4, 6]], [[4], [8]]]
    assert [[part.tolist() for part in batch] for batch in Counted(data, 2)] == [[[2, 0], [4, 0]], [[1], [2]]]
    assert DataLoader(data, 2)._auto_collation and not DataLoader(data, None)._auto_collation
    assert list(DataLoader(data, 2)._index_sampler) == [[0, 1], [2, 3], [4]] and list(DataLoader(data, None)._index_sampler) == [0, 1, 2, 3, 4]
