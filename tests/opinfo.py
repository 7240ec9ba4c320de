"""PyTorch's own samples of its operators (OpInfo), run against cygrad: values, gradients, gradients of gradients, in-place
forms, ``out=`` and invalid arguments.

    python -m tests.opinfo                every variant that cygrad has: what fails, and which names are missing
    python -m tests.opinfo add 'nn.*'     the variants whose names match
    python -m tests.opinfo --all          with all samples, not a few of each kind
"""

from __future__ import annotations

import collections
import fnmatch
import functools
import itertools
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

import cygrad as cg

if True:  # before the next import
    import tests.torch_internals  # noqa: F401

from torch.testing._internal.common_methods_invocations import op_db

__all__ = ["EXCLUDED", "KINDS", "LEFT_OUT", "failures", "found", "matching", "variants"]

DTYPES = {torch.float64: "float64", torch.float32: "float32", torch.int64: "int64", torch.bool: "bool"}
KINDS = ("float64", "strided", "in place", "out", "gradient", "gradgrad", "float32", "int64", "bool", "errors")

LEFT_OUT = {  # pattern of names: why cygrad does not have them
    "*conv*3d": "convolution in three dimensions",
    "*pool3d*": "pooling of volumes",
    "*complex*": "complex numbers",
    "*stft": "complex numbers, in all samples",
    "sparse.*": "sparse tensors",
    "jiterator*": "of CUDA",
    "torch.ops.*": "internal",
    "*_unsafe*": "internal",
    "_*": "internal",
    "ops.*": "internal",
}


EXCLUDED = {  # (pattern of names, kind): why cygrad differs
    ("nn.functional.*", "out"): "PyTorch's documentation of these functions has no out",
    ("nn.functional.scaled_dot_product_attention", "gradgrad"): "PyTorch's kernel has no second derivative",
    ("nn.functional.*pool*", "int64"): "pooling is of floats",
    ("nn.functional.local_response_norm", "int64"): "the mean of integers is a float",
    ("norm.nuc", "*"): "linalg.matrix_norm has nuclear norms, and the message says so",
    ("linalg.norm.subgradients_at_zero", "gradgrad"): "PyTorch gives NaN at 0, cygrad the subgradient 0",
}

# Results that differ by nature: those of random functions have a shape and a dtype only; where elements are equal,
# PyTorch leaves open which of their indices comes first, so that an index is right if the element there is.
RANDOM = [
    *("*rand*", "*dropout*", "normal*", "bernoulli", "multinomial", "empty*", "new_empty*", "exponential", "cauchy"),
    *("geometric", "log_normal", "uniform", "nn.functional.rrelu", "pca_lowrank", "svd_lowrank"),
]
TIES = ["topk", "kthvalue", "mode", "median", "nanmedian", "sort", "msort", "argsort"]


def variants() -> list[Any]:
    """The variants in PyTorch's database that cygrad could have."""
    return [
        info for info in op_db if not any(fnmatch.fnmatch(info.name, p) for p in LEFT_OUT if not is_dunder(info.name))
    ]


def matching(names: Any, pattern: str) -> list[str]:
    """The names that match a pattern."""
    return [name for name in names if fnmatch.fnmatch(name, pattern)]


def is_dunder(name: str) -> bool:
    return name.startswith("__")


def found(info: Any) -> Callable[..., Any] | None:
    """What cygrad calls for a variant: the function of its name, PyTorch's wrapper around it, or a method."""
    here: Any = cg
    for part in info.name.split("."):
        here = getattr(here, part, None)
    if not callable(here):  # a dtype is no conversion
        here = getattr(cg.Tensor, info.name, None) or getattr(cg.Tensor, f"{info.name}_", None)
    if here is None:
        return None
    theirs: Any = torch
    for part in info.name.split("."):
        theirs = getattr(theirs, part, None)
    wrapped = theirs is not info.op and isinstance(info.op, types.FunctionType)
    if wrapped and info.op.__module__.startswith("torch.testing"):
        return translated(info.op)
    return here


def translated(function: Any) -> Any:
    """A function of PyTorch's tests, with cygrad in place of torch."""
    names = {**function.__globals__, "torch": cg}
    cells = function.__closure__ and tuple([types.CellType(ours(c.cell_contents)) for c in function.__closure__])
    result = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells)
    result.__kwdefaults__ = function.__kwdefaults__
    return result


def ours(value: Any, gradient: bool = False) -> Any:
    """A value of PyTorch as one of cygrad."""
    if isinstance(value, torch.Tensor):
        result = cg.Tensor(with_storage(value.detach().resolve_conj().resolve_neg()))
        result.requires_grad = value.requires_grad and gradient
        return result
    if isinstance(value, torch.dtype):
        return getattr(cg, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, torch.nn.Module):
        return getattr(cg.nn, type(value).__name__)()
    if isinstance(value, types.FunctionType):
        return translated(value)
    if type(value) in (tuple, list, torch.Size):
        return (list if isinstance(value, list) else tuple)([ours(v, gradient) for v in value])
    if isinstance(value, dict):
        return {k: ours(v, gradient) for k, v in value.items()}
    if isinstance(value, (torch.layout, torch.memory_format)):
        return getattr(cg, str(value).removeprefix("torch."), None)
    return value


def with_storage(value: Any) -> Any:
    """The array of a tensor, over all of the memory that the tensor is a view of."""
    size = value.untyped_storage().nbytes()
    if size == value.numel() * value.itemsize or not size:
        return value.numpy()
    memory = torch.empty(0, dtype=value.dtype).set_(value.untyped_storage()).numpy()
    strides = [n * value.itemsize for n in value.stride()]
    return np.ndarray(value.shape, memory.dtype, memory, value.storage_offset() * value.itemsize, strides)


def tensors(value: Any) -> Iterator[Any]:
    """All tensors in a result, of either library."""
    if isinstance(value, (torch.Tensor, cg.Tensor)):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from tensors(v)
    elif isinstance(value, (tuple, list)):
        for v in value:
            yield from tensors(v)


def compare(got: Any, want: Any, loose: float = 1) -> None:
    """Raise AssertionError where the results differ."""
    if isinstance(want, (bool, int, float)):
        assert got == want or np.allclose(got, want, equal_nan=True), f"{got} != {want}"
        return
    if isinstance(want, torch.dtype):
        assert got == ours(want), f"{got} != {want}"
        return
    mine, theirs = list(tensors(got)), list(tensors(want))
    assert len(mine) == len(theirs), f"{len(mine)} results, not {len(theirs)}"
    for a, b in zip(mine, theirs):
        same(a, b, loose)
        assert a.is_contiguous() or not b.is_contiguous(), f"strides {a.stride()}, not {b.stride()}"


def alike(a: Any, b: Any) -> None:
    """Raise AssertionError where shapes or dtypes differ."""
    dtype = str(b.dtype).removeprefix("torch.")
    assert tuple(a.shape) == tuple(b.shape), f"shape {tuple(a.shape)}, not {tuple(b.shape)}"
    assert np.dtype(a.array.dtype).name == dtype, f"dtype {a.array.dtype}, not {dtype}"


def same(a: Any, b: Any, loose: float = 1) -> None:
    alike(a, b)
    tolerance = {torch.float32: 2e-5, torch.float64: 1e-9}.get(b.dtype, 0) * loose
    x, y = a.detach().numpy(), b.detach().numpy(force=True)
    if not np.allclose(x, y, tolerance, tolerance, equal_nan=True):
        i = np.unravel_index(np.argmax(~np.isclose(x, y, tolerance, tolerance, equal_nan=True)), x.shape)
        raise AssertionError(f"{x[i]}, not {y[i]}, at {tuple(map(int, i))} of shape {x.shape}")


def drops(name: str, sample: Any) -> bool:
    """Whether a sample of attention drops weights."""
    if name == "nn.functional.multi_head_attention_forward":
        return bool(sample.args[9]) and bool(sample.kwargs.get("training", True))
    return bool(sample.kwargs.get("dropout_p"))


class Case:
    """One sample of a variant in both libraries."""

    def __init__(self, info: Any, function: Any, sample: Any) -> None:
        self.info, self.function, self.sample = info, function, sample

        kinds = {x.dtype for x in tensors((sample.input, tuple(sample.args), sample.kwargs))}
        self.loose = 1e5 if {torch.float64, torch.float32} <= kinds else 1  # as precise as float32
        self.random = any(fnmatch.fnmatch(info.name, pattern) for pattern in RANDOM) or drops(info.name, sample)

    def compare(self, got: Any, want: Any) -> None:
        """Raise AssertionError where the results differ."""
        if self.random:
            pairs = list(zip(tensors(got), tensors(want), strict=True))
            for pair in pairs:
                alike(*pair)
        elif self.info.name in TIES and isinstance(self.sample.input, torch.Tensor):
            compare(self.at_indices(got), self.at_indices(want), self.loose)
        else:
            compare(got, want, self.loose)

    def at_indices(self, results: Any) -> list[Any]:
        """Results with the elements at indices in place of them."""
        s, changed = self.sample, []
        first, *rest = s.args or (-1,)
        dim = s.kwargs.get("dim", (rest or [-1])[0] if self.info.name in ("topk", "kthvalue") else first)
        for t in tensors(results):
            library = torch if isinstance(t, torch.Tensor) else cg
            x = s.input if library is torch else ours(s.input)
            index = len(changed) > 0 or self.info.name == "argsort"
            if index and t.ndim < x.ndim:
                t = t.unsqueeze(dim)
            changed.append(library.take_along_dim(x, t, dim) if index and x.ndim else t)
        return changed

    def theirs(self, gradient: bool = False, sample: Any = None) -> Any:
        s = sample or self.sample
        result = self.wrapped(self.info.op, gradient)(s.input, *s.args, **s.kwargs)
        return s.output_process_fn_grad(result)

    def ours(self, gradient: bool = False) -> tuple[Any, list[Any]]:
        s = self.sample
        given = ours((s.input, tuple(s.args), s.kwargs), gradient)
        result = self.wrapped(self.function, gradient)(given[0], *given[1], **given[2])
        return process(s.output_process_fn_grad)(result), [t for t in tensors(given) if t.requires_grad]

    def wrapped(self, function: Any, gradient: bool) -> Any:
        """The function that is differentiated: of a matrix made symmetric or triangular, where only half of it counts."""
        wrapper = self.info.gradcheck_wrapper
        if not gradient or wrapper.__name__ == "<lambda>":
            return function
        return functools.partial(wrapper if function is self.info.op else translated(wrapper), function)

    def values(self) -> None:
        got, want = self.ours()[0], self.theirs()
        try:
            self.compare(got, want)
        except AssertionError:
            if not self.as_precise(got, want):
                raise

    def as_precise(self, got: Any, want: Any) -> bool:
        """Whether results in float32 are as near to those in float64 as PyTorch's are."""
        pairs = list(zip(tensors(got), tensors(want)))
        if not pairs or any(b.dtype != torch.float32 or tuple(a.shape) != tuple(b.shape) for a, b in pairs):
            return False
        exact = self.theirs(sample=self.sample.transform(lambda x: x.double() if is_float32(x) else x))
        return all(
            np.nanmax(np.abs(a.detach().numpy() - e)) <= 2 * np.nanmax(np.abs(b.detach().numpy() - e))
            for (a, b), e in zip(pairs, [t.detach().numpy() for t in tensors(exact)], strict=True)
        )

    def gradients(self, twice: bool) -> None:
        s = self.sample
        theirs = [t for t in tensors((s.input, tuple(s.args), s.kwargs)) if t.requires_grad]
        if not theirs or self.random:
            return
        want = derivatives(list(tensors(self.theirs(True))), theirs, torch, twice)
        result, inputs = self.ours(True)
        got = derivatives(list(tensors(result)), inputs, cg, twice)
        assert [g is None for g in got] == [w is None for w in want] or all(
            w is None or not w.any() for g, w in zip(got, want) if g is None
        ), f"gradients {[g is not None for g in got]}, not {[w is not None for w in want]}"
        for g, w in zip(got, want):
            if g is not None and w is not None:
                same(g, w, 10 * self.loose)

    def in_place(self) -> None:
        s = self.sample
        method = self.info.inplace_variant
        name = getattr(method, "__name__", "")
        if not hasattr(torch.Tensor, name) or s.broadcasts_input or not isinstance(s.input, torch.Tensor):
            return
        mine = getattr(cg.Tensor, name, None)
        assert mine is not None, f"no {name}"
        x = s.input.detach().clone()
        try:
            want = method(x, *s.args, **s.kwargs)
        except RuntimeError:  # the result does not fit the tensor
            return
        given = ours((s.input.detach().clone(), tuple(s.args), s.kwargs))
        got = mine(given[0], *given[1], **given[2])
        assert got is given[0], "another tensor is returned"
        self.compare(got, want)

    def out(self) -> None:
        s = self.sample
        want = self.info.op(s.input, *s.args, **s.kwargs)
        if not (self.info.supports_out and isinstance(want, (torch.Tensor, tuple)) and list(tensors(want))):
            return
        blank = [cg.Tensor(np.ones_like(t.detach().resolve_conj().numpy())) for t in tensors(want)]
        given = ours((s.input, tuple(s.args), s.kwargs))
        out = blank[0] if isinstance(want, torch.Tensor) else tuple(blank)
        with cg.no_grad():
            got = self.function(given[0], *given[1], **given[2], out=out)
        assert all(a is b for a, b in zip(tensors(got), blank, strict=True)), "other tensors than out are returned"
        self.compare(process(s.output_process_fn_grad)(got), s.output_process_fn_grad(want))


def is_float32(x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.dtype == torch.float32


def process(function: Any) -> Any:
    return translated(function) if isinstance(function, types.FunctionType) else function


def derivatives(outputs: list[Any], inputs: list[Any], library: Any, twice: bool) -> list[Any]:
    outputs = [y for y in outputs if y.requires_grad]
    if not outputs:
        return [None for _ in inputs]
    weights = [weight(y, library, 0) for y in outputs]
    if not twice:
        return list(library.autograd.grad(outputs, inputs, weights, allow_unused=True))
    first = [
        g
        for g in library.autograd.grad(outputs, inputs, weights, create_graph=True, allow_unused=True)
        if g is not None
    ]
    first = [g for g in first if g.requires_grad]
    if not first:
        return [None for _ in inputs]
    return list(library.autograd.grad(first, inputs, [weight(g, library, 1) for g in first], allow_unused=True))


def weight(y: Any, library: Any, seed: int) -> Any:
    array = np.random.default_rng(seed).normal(size=tuple(y.shape))
    return (torch.from_numpy if library is torch else cg.Tensor)(np.asarray(array)).to(y.dtype)


DRAWN: dict[Any, list[Any]] = {}  # the samples that were drawn last


def samples(info: Any, dtype: Any, gradient: bool, limit: int) -> list[Any]:
    """The samples of a variant, or so many of them, spread over the first hundred."""
    key = (info.full_name, dtype, gradient, limit)
    if key not in DRAWN:
        torch.default_generator.manual_seed(0)
        drawn = info.sample_inputs("cpu", dtype, requires_grad=gradient)
        everything = list(itertools.islice(drawn, 100 if limit else None))
        DRAWN.clear()
        DRAWN[key] = everything[:: max(1, -(-len(everything) // limit))] if limit else everything
    return DRAWN[key]


def failures(info: Any, kinds: tuple[str, ...] = KINDS, limit: int = 20) -> Iterator[tuple[str, str]]:
    """(kind, message) of each sample that fails, at most one message of a kind."""
    function = found(info)
    assert function is not None
    supported = info.supported_dtypes("cpu")
    real = torch.float64 in supported
    first = torch.float64 if real else torch.int64 if torch.int64 in supported else torch.bool
    gradients = real and info.supports_autograd
    for kind in kinds:
        if any(fnmatch.fnmatch(info.full_name, name) and fnmatch.fnmatch(kind, k) for name, k in EXCLUDED):
            continue
        dtype = next((d for d, name in DTYPES.items() if name == kind), first)
        if dtype not in supported or (kind == "gradient" and not gradients):
            continue
        if kind == "gradgrad" and not (gradients and info.supports_gradgrad):
            continue
        try:
            problem = first_problem(info, function, kind, dtype, limit)
        except NotImplementedError:
            continue
        if problem:
            yield kind, problem


def first_problem(info: Any, function: Any, kind: str, dtype: Any, limit: int) -> str | None:
    if kind == "errors":
        return first_error_problem(info, function, limit)
    gradient = kind in ("gradient", "gradgrad")
    bad, total, message = 0, 0, ""
    for number, sample in enumerate(samples(info, dtype, gradient, limit)):
        case = Case(info, function, sample.noncontiguous() if kind == "strided" else sample)
        run = {
            "gradient": functools.partial(case.gradients, False),
            "gradgrad": functools.partial(case.gradients, True),
            "in place": case.in_place,
            "out": case.out,
        }.get(kind, case.values)
        total += 1
        try:
            run()
        except Exception as error:
            bad += 1
            message = message or f"[{number}] {described(sample)}: {type(error).__name__}: {error}"
    return f"{bad}/{total} {message}" if bad else None


def first_error_problem(info: Any, function: Any, limit: int) -> str | None:
    if info.error_inputs_func is None:
        return None
    bad, total, message = 0, 0, ""
    for wrong in itertools.islice(info.error_inputs("cpu"), limit or None):
        s = wrong.sample_input
        if is_harmless(wrong) or any(isinstance(x, complex) for x in s.args):
            continue
        try:
            given = ours((s.input, tuple(s.args), s.kwargs))
        except (TypeError, AttributeError, ValueError):
            continue  # complex numbers
        total += 1
        try:
            function(given[0], *given[1], **given[2])
        except wrong.error_type:
            continue
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
        else:
            got = "nothing"
        bad += 1
        message = (
            message
            or f"{described(s)}: expected {wrong.error_type.__name__} {str(wrong.error_regex)[:60]!r}, got {got}"
        )
    return f"{bad}/{total} {message}" if bad else None


HARMLESS = ("unsupported operation", "refer to a single memory location", "Expected out tensor to have dtype")


def is_harmless(wrong: Any) -> bool:
    """Whether cygrad may take what PyTorch refuses: numbers in place of tensors; memory that overlaps, as results are
    written when they are complete; and `out` of a dtype that results are converted to."""
    s, text = wrong.sample_input, str(wrong.error_regex)
    numbers = any(isinstance(x, (int, float)) for x in (s.input, *s.args))
    return any(t in text for t in HARMLESS) or (numbers and wrong.error_type is Exception and not text)


def described(sample: Any) -> str:
    def text(value: Any) -> str:
        if isinstance(value, torch.Tensor):
            return f"{str(value.dtype)[6:]}{list(value.shape)}"
        if isinstance(value, (tuple, list)):
            return f"[{', '.join(map(text, value))}]"
        return repr(value)

    kwargs = [f"{k}={text(v)}" for k, v in sample.kwargs.items()]
    return f"({', '.join([text(sample.input), *map(text, sample.args), *kwargs])})"


def main(patterns: list[str]) -> None:
    warnings.simplefilter("ignore")
    limit = 0 if "--all" in patterns else 20
    patterns = [p for p in patterns if p != "--all"]
    missing, bad, clean = [], collections.Counter(), 0
    chosen = [i for i in variants() if not patterns or any(fnmatch.fnmatch(i.name, p) for p in patterns)]
    for info in chosen:
        if found(info) is None:
            missing.append(info.full_name)
            continue
        problems = list(failures(info, limit=limit))
        clean += not problems
        for kind, message in problems:
            bad[kind] += 1
            print(f"{info.full_name:28} {kind:9} {message[:260]}", flush=True)
    print(f"{len(chosen)} variants, {len(chosen) - len(missing)} present, {clean} clean; failing by kind: {dict(bad)}")
    print("missing:", " ".join(missing))


if __name__ == "__main__":
    main(sys.argv[1:])
