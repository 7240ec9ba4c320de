"""Tensor: an ndarray, its gradient, and the operators. No mathematics stands here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cygrad import _kernels as kernels
from cygrad import autograd, functions
from cygrad._arguments import shape_argument
from cygrad._typing import Array
from cygrad.autograd import engine, leaves, recording
from cygrad.autograd.hooks import RemovableHandle, add_hook
from cygrad.device import check_device
from cygrad.generator import Generator, normal_array, uniform_array
from cygrad.methods import TensorMethods
from cygrad.ops import arithmetic
from cygrad.ops import index as index_ops
from cygrad.ops import shape as shape_ops
from cygrad.printing import show

if TYPE_CHECKING:
    from typing_extensions import Self

    from cygrad.autograd.drawing import Drawing

__all__ = ["Tensor"]


class Tensor(TensorMethods):
    """An ndarray that remembers how it was computed. As ``torch.Tensor``.

    The constructor wraps an array without copying it; ``cg.tensor`` copies. Nearly everything that ``cygrad`` has as a
    function of a tensor is a method too.

    >>> x = cg.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()

    __array_priority__ = 1000  # NumPy leaves array + tensor to the tensor

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        super().__init__(array, False)
        if requires_grad:
            self.requires_grad = True

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of its axes."""
        return self.array.shape

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis."""
        return self.array.shape if dim is None else self.array.shape[dim]

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's dtype of its numbers."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return self.array.ndim

    def dim(self) -> int:
        """How many axes it has."""
        return self.array.ndim

    @property
    def device(self) -> str:
        """ "cpu": there is no other."""
        return "cpu"

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return self.array.itemsize

    def element_size(self) -> int:
        """Bytes of one number."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all numbers."""
        return self.array.nbytes

    def stride(self) -> tuple[int, ...]:
        """Steps of its axes, in numbers."""
        return tuple([s // self.array.itemsize for s in self.array.strides])

    def data_ptr(self) -> int:
        """The address of its memory."""
        recording.reading("data_ptr")
        return self.array.ctypes.data

    def is_contiguous(self) -> bool:
        """Whether its numbers lie in order, without gaps."""
        return self.array.flags.c_contiguous

    def is_floating_point(self) -> bool:
        """Whether it holds floats."""
        return self.array.dtype.kind == "f"

    # Its place in the graph

    def _set_requires_grad(self, value: bool) -> None:
        if value and self.array.dtype.kind != "f":
            raise RuntimeError(f"requires_grad: only floats can require a gradient, got {self.array.dtype}")
        if self.node is not None and not value:
            raise RuntimeError("requires_grad: only a leaf can stop requiring a gradient; use detach()")
        _requires_grad.__set__(self, bool(value))

    requires_grad = property(
        lambda self: _requires_grad.__get__(engine.current(self)),
        _set_requires_grad,
        doc="Whether a gradient is wanted.",
    )

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sets requires_grad and returns the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made it."""
        return engine.current(self).node is None

    @property
    def grad_fn(self) -> Any:
        """The node of the graph that computed it, None for a leaf."""
        return engine.current(self).node

    @property
    def grad(self) -> Tensor | None:
        """What backward has added up, for a leaf."""
        recorder = recording.recorder()
        if recorder is not None:
            recorder.touch([self])
        return self.grad_value

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"grad: a gradient must be a tensor or None, got {type(value).__name__}")
            if value.shape != self.shape or value.dtype != self.dtype:
                raise RuntimeError(
                    f"grad: the gradient is {value.dtype} of shape {value.shape}, "
                    f"but the tensor is {self.dtype} of shape {self.shape}"
                )
        leaves.zero_gradients([self], True)
        self.grad_value = value

    @grad.deleter
    def grad(self) -> None:
        leaves.zero_gradients([self], True)

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Adds the gradient of this tensor to the ``grad`` of every leaf; see :func:`cygrad.autograd.backward`."""
        autograd.backward(self, None if gradient is None else (gradient,), retain_graph, create_graph, inputs)

    def detach(self) -> Tensor:
        """The same memory outside the graph."""
        result = engine.wrap(self.array)
        result.version = self.version
        result.seen_rewrites = self.version.rewrites
        return result

    def detach_(self) -> Tensor:
        """Leaves the graph and becomes a leaf that requires no gradient."""
        self.node = None
        self.base = None
        self.index = 0
        self.seen_rewrites = self.version.rewrites
        _requires_grad.__set__(self, False)
        return self

    @property
    def data(self) -> Tensor:
        """The same memory, unknown to the graph: changes of it are not noticed."""
        return engine.wrap(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if value.dtype != self.dtype:
            raise RuntimeError(f"data: the new data is {value.dtype}, but the tensor is {self.dtype}")
        self.array = value.array

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Calls hook(gradient) when the gradient of this tensor is known; what it returns, unless None, takes the
        gradient's place."""
        if not self.requires_grad:
            raise RuntimeError("register_hook: the tensor does not require a gradient")
        if self.node is None:
            if self.hooks is None:
                self.hooks = {}
            return add_hook(self.hooks, hook)
        if self.node.hooks is None:
            self.node.hooks = {}
        return add_hook(self.node.hooks.setdefault(self.index, {}), hook)

    def retain_grad(self) -> None:
        """Keeps the gradient in ``grad`` though the tensor is no leaf."""
        if self.node is not None:

            def keep(gradient: Tensor) -> None:
                self.grad_value = gradient.clone() if self.grad_value is None else self.grad_value + gradient

            self.register_hook(keep)

    def graph(self, names: Mapping[str, Tensor] | None = None, gradient: Tensor | None = None) -> Drawing:
        """Draw the graph that computed this tensor, with the value and the gradient of every edge.

        A notebook shows the result as a picture, ``print`` lists it as text, and ``save("graph.svg")`` writes it. Call
        it before :meth:`backward`, which frees the graph. It changes no ``grad``.

        Args:
            names: names of inputs and intermediate results; ``dict(model.named_parameters())`` fits.
            gradient: the gradient at this tensor, of its shape; default 1 for a single element, none otherwise.

        Raises:
            RuntimeError: if the tensor is a leaf, its graph is freed, or it has more than 2,000 operations.

        Example:

            >>> x, w = cg.tensor(2.0), cg.tensor(3.0, requires_grad=True)
            >>> print(((x * w) ** 2).graph(names={"x": x, "w": w}))
                             value  gradient
            x                2
            w                3      24
            %1   mul(x, w)   6      12
            %2   pow(%1, 2)  36     1
        """
        from cygrad.autograd.drawing import draw  # seldom needed, and as long to import as the rest of autograd

        return draw(self, names, None if gradient is None else gradient.array)

    # Out of it, to NumPy and Python

    def numpy(self) -> Array:
        """The ndarray itself, not a copy. Raises RuntimeError where a gradient is required."""
        if self.requires_grad:
            raise RuntimeError("numpy: the tensor requires a gradient; use tensor.detach().numpy()")
        recording.reading("numpy")
        return self.array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        array = self.numpy()
        if copy:
            return np.array(array, dtype)
        if copy is False and dtype is not None and array.dtype != dtype:
            raise ValueError(f"__array__: {array.dtype} does not become {dtype} without a copy")
        return np.asarray(array, dtype)

    def __dlpack__(self, **options: Any) -> Any:
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def item(self) -> Any:
        """Its one number as a Python number. Raises RuntimeError where it has not just one."""
        if self.array.size != 1:
            raise RuntimeError(f"item: the tensor has shape {self.shape}, not one number")
        recording.reading("item")
        return self.array.item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        recording.reading("tolist")
        return self.array.tolist()

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len: a tensor without dimensions has no length")
        return len(self.array)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.ndim:
            raise TypeError("iter: a tensor without dimensions can't be walked through")
        return iter(functions.unbind(self))

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise RuntimeError(f"bool: whether a tensor of shape {self.shape} is true is ambiguous; use any() or all()")
        recording.reading("bool")
        return bool(self.array.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iub":
            raise TypeError(f"index: only integers can be an index, got {self.dtype}")
        return int(self.item())

    def __contains__(self, value: Any) -> bool:
        recording.reading("in")
        return bool((self.array == getattr(value, "array", value)).any())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if not self.array.ndim else format(str(self), spec)

    def __repr__(self) -> str:
        recording.reading("repr")
        return show(self)

    def __copy__(self) -> Tensor:
        result = self.detach()
        if self.requires_grad:
            result.requires_grad = True
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.node is not None:
            raise RuntimeError("deepcopy: only a leaf can be copied so; use clone() or detach()")
        result = type(self)(self.array.copy(), self.requires_grad)
        result.grad_value = None if self.grad_value is None else self.grad_value.clone()
        memo[id(self)] = result
        return result

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self), (self.array, self.requires_grad and self.node is None)

    # Indexing

    def __getitem__(self, key: Any) -> Tensor:
        return index_ops.getitem(self, key=plain_key(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        key = plain_key(key)
        if isinstance(value, Tensor) and value.version is self.version and self._is_own_part(key, value):
            return  # x[key] += v: the view was changed in place already
        engine.check_writable(self)
        wanted = engine.grad_enabled() and (self.requires_grad or getattr(value, "requires_grad", False))
        if wanted or not self.array.flags.writeable:
            engine.rewrite(self, index_ops.index_put(self, value, key=key))
        elif key is Ellipsis:
            recording.fill(self.array, getattr(value, "array", value))
            self.version.value += 1
        else:
            recording.call_again(index_ops.put, self.array, key, getattr(value, "array", value))
            self.version.value += 1

    def _is_own_part(self, key: Any, value: Tensor) -> bool:
        """Whether the value is the view self[key]."""
        if not index_ops.is_basic(key):
            return False
        part = index_ops.at(self.array, key)
        same = part.shape == value.shape and part.strides == value.array.strides
        return same and part.ctypes.data == value.array.ctypes.data

    # Arithmetic

    def where(self, condition: Tensor, other: Any) -> Tensor:
        """self where condition is true, else other."""
        return arithmetic.where(condition, self, other)

    # Shape

    def reshape(self, *shape: Any) -> Tensor:
        """The same numbers in another shape; see :func:`cygrad.reshape`."""
        return shape_ops.reshape(self, shape=shape_argument(shape))

    def view(self, *shape: Any) -> Tensor:
        """reshape, but raises RuntimeError where the memory allows no view; with a dtype, the bits read anew."""
        if len(shape) == 1 and not isinstance(shape[0], (int, tuple, list)):
            return Tensor(self.numpy().view(shape[0]))
        result = self.reshape(*shape)
        if self.array.size and not np.shares_memory(result.array, self.array):
            raise RuntimeError(f"view: a tensor of shape {self.shape} and steps {self.stride()} has no such view")
        return result

    def view_as(self, other: Tensor) -> Tensor:
        """A view in the shape of other."""
        return self.view(other.shape)

    def reshape_as(self, other: Tensor) -> Tensor:
        """The same numbers in the shape of other."""
        return self.reshape(other.shape)

    def permute(self, *dims: Any) -> Tensor:
        """The axes in another order: a view."""
        return shape_ops.permute(self, dims=shape_argument(dims))

    def expand(self, *size: Any) -> Tensor:
        """Axes of size 1, and new ones in front, repeated without a copy; −1 keeps a size."""
        return shape_ops.expand(self, size=shape_argument(size))

    def expand_as(self, other: Tensor) -> Tensor:
        """Expanded to the shape of other."""
        return shape_ops.expand(self, size=other.shape)

    def repeat(self, *repeats: Any) -> Tensor:
        """The whole tensor, several times along each axis."""
        return shape_ops.repeat(self, sizes=shape_argument(repeats))

    def tile(self, *dims: Any) -> Tensor:
        """The whole tensor repeated along the last axes."""
        return functions.tile(self, shape_argument(dims))

    def flip(self, *dims: Any) -> Tensor:
        """The order along dims reversed."""
        return shape_ops.flip(self, dims=shape_argument(dims))

    @property
    def T(self) -> Tensor:
        """The axes in reverse order: a view."""
        return self.permute(*range(self.array.ndim - 1, -1, -1))

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged: a view."""
        if self.array.ndim < 2:
            raise RuntimeError(f"mT: the tensor must have at least 2 dimensions, got shape {self.shape}")
        return functions.transpose(self, -2, -1)

    def contiguous(self) -> Tensor:
        """The tensor itself if its numbers lie in order, else a copy in which they do."""
        return self if self.array.flags.c_contiguous else shape_ops.clone(self)

    # Places

    def scatter_(self, dim: int, index: Tensor, src: Any) -> Tensor:
        """scatter, in place."""
        return engine.rewrite(self, self.scatter(dim, index, src))

    def scatter_add_(self, dim: int, index: Tensor, src: Tensor) -> Tensor:
        """scatter_add, in place."""
        return engine.rewrite(self, self.scatter_add(dim, index, src))

    def nonzero(self, as_tuple: bool = False) -> Any:
        """Where it is not zero: a row of indices for each place, or one tensor an axis."""
        recording.reading("nonzero")
        places = np.nonzero(self.array) if self.array.ndim else np.nonzero(self.array.reshape(1))
        if as_tuple:
            return tuple([Tensor(p) for p in places])
        return Tensor(np.stack(places, 1) if self.array.ndim else np.zeros((len(places[0]), 0), np.int64))

    def unique(self, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False) -> Any:
        """The different numbers, in order; with them where each came from, and how often."""
        recording.reading("unique")
        found: Any = np.unique(self.array, False, return_inverse, return_counts)  # type: ignore[call-overload]
        return tuple([Tensor(f) for f in found]) if isinstance(found, tuple) else Tensor(found)

    def bincount(self, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
        """How often each of 0, 1, … occurs, or the weights of its places added up."""
        recording.reading("bincount")
        if self.array.ndim != 1 or self.array.dtype.kind not in "iu" or (self.array < 0).any():
            raise RuntimeError("bincount: the tensor must be a 1-D tensor of integers that are not negative")
        return Tensor(np.bincount(self.array, None if weights is None else weights.numpy(), minlength))

    # Filling

    def fill_(self, value: Any) -> Tensor:
        """One number everywhere, in place."""
        self[...] = value
        return self

    def zero_(self) -> Tensor:
        """Zeros, in place."""
        return self.fill_(0)

    def copy_(self, src: Any) -> Tensor:
        """The numbers of src, broadcast, in place."""
        self[...] = src
        return self

    def uniform_(self, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None) -> Self:
        """Fill the tensor with samples from U[a, b), and return it; not recorded in the graph.

        Raises ValueError if a > b.
        """
        if not a <= b:
            raise ValueError(f"uniform_: a must not be above b, got a={a} and b={b}")
        return set_values("uniform_", self, a + (b - a) * uniform_array(self.shape, self.dtype, generator))

    def normal_(self, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Self:
        """Fill the tensor with samples from N(mean, std²), and return it; not recorded in the graph.

        Raises ValueError if std < 0.
        """
        if not std >= 0:
            raise ValueError(f"normal_: std must not be negative, got {std}")
        return set_values("normal_", self, mean + std * normal_array(self.shape, self.dtype, generator))

    def new_tensor(self, data: Any, *, dtype: Any = None) -> Tensor:
        """A new tensor of data, in this one's dtype unless told otherwise."""
        return Tensor(np.array(data, dtype or self.dtype))

    def new_zeros(self, *size: Any, dtype: Any = None) -> Tensor:
        """Zeros in this tensor's dtype."""
        return Tensor(kernels.pooled(np.zeros, shape_argument(size), dtype or self.dtype))

    def new_ones(self, *size: Any, dtype: Any = None) -> Tensor:
        """Ones in this tensor's dtype."""
        return Tensor(kernels.pooled(np.ones, shape_argument(size), dtype or self.dtype))

    def new_full(self, size: Any, fill_value: Any, *, dtype: Any = None) -> Tensor:
        """One number everywhere, in this tensor's dtype."""
        return Tensor(kernels.pooled(np.full, size, fill_value, dtype or self.dtype))

    # Dtypes and devices

    def to(self, *args: Any, dtype: Any = None, device: Any = None, copy: bool = False) -> Tensor:
        """The tensor in a dtype, or in that of another tensor; itself where it has it already. A device other than
        "cpu" raises ValueError."""
        for arg in args:
            if isinstance(arg, Tensor):
                dtype = arg.dtype
            elif is_device(arg):
                device = arg
            elif isinstance(arg, bool):
                continue
            else:
                dtype = arg
        check_device("to", device)
        if dtype is None or np.dtype(dtype) == self.dtype:
            return self.clone() if copy else self
        return shape_ops.cast(self, dtype=np.dtype(dtype))

    def type(self, dtype: Any = None) -> Any:
        """The tensor in a dtype; the dtype without one."""
        return self.dtype if dtype is None else self.to(dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """The tensor in other's dtype."""
        return self.to(other.dtype)

    def float(self) -> Tensor:
        """The tensor in float32."""
        return self.to(np.float32)

    def double(self) -> Tensor:
        """The tensor in float64."""
        return self.to(np.float64)

    def long(self) -> Tensor:
        """The tensor in int64."""
        return self.to(np.int64)

    def int(self) -> Tensor:
        """The tensor in int32."""
        return self.to(np.int32)

    def bool(self) -> Tensor:
        """The tensor as booleans: whether it is not zero."""
        return self.to(np.bool_)

    def cpu(self) -> Tensor:
        """The tensor itself."""
        return self

    def cuda(self, device: Any = None) -> Tensor:
        """Raises ValueError: there is no such device here."""
        check_device("cuda", "cuda")
        return self


_requires_grad: Any = autograd.Value.requires_grad


T = TypeVar("T", bound=Tensor)


def set_values(op: str, tensor: T, values: Array) -> T:
    """Write `values` into the tensor, outside the graph, and return the tensor."""
    if not tensor.array.flags.writeable:
        raise ValueError(f"{op}: the tensor's memory is read-only")
    recording.reading(op)
    np.copyto(tensor.array, values, casting="same_kind")
    tensor.version.value += 1
    return tensor


def is_device(x: Any) -> bool:
    return isinstance(x, str) and x.partition(":")[0] in ("cpu", "cuda", "mps", "xpu", "meta", "tpu")


def plain_key(key: Any) -> Any:
    """An index with arrays of its own in place of tensors, arrays and lists."""
    if isinstance(key, tuple):
        return tuple([plain_part(part) for part in key])
    return plain_part(key)


def plain_part(part: Any) -> Any:
    if isinstance(part, Tensor):
        array = part.array
        if array.dtype.kind == "f":
            raise IndexError(f"index: a tensor that indexes must hold integers or booleans, got {array.dtype}")
        if array.dtype.kind == "b" or not array.ndim:
            recording.reading("an index")
        return array.item() if array.ndim == 0 and array.dtype.kind in "iu" else recording.copied(array)
    if isinstance(part, list):
        return np.asarray(part, None if part else np.int64)
    if isinstance(part, np.ndarray):
        return part.copy()
    if isinstance(part, slice):
        start, stop, step = [v if v is None else v.__index__() for v in (part.start, part.stop, part.step)]
        if step is not None and step <= 0:
            raise ValueError(f"index: the step of a slice must be positive, got {step}; use flip() to reverse")
        return slice(start, stop, step)
    return part


autograd.use_value_type(Tensor)
