"""Tensor: an ndarray, its gradient, and the methods that are not ops. The arithmetic is in ``cygrad/ops``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from cygrad import _kernels as kernels
from cygrad import autograd, functions
from cygrad._arguments import checked, checked_sizes, shape_argument
from cygrad._attributes import ShapeError
from cygrad._typing import Array, DType, Nested, Operand, Size
from cygrad.autograd import engine, leaves, recording
from cygrad.autograd.arrays import plain
from cygrad.autograd.hooks import RemovableHandle, add_hook
from cygrad.config import default_float, follows_torch
from cygrad.defaults import layout as Layout
from cygrad.defaults import strided
from cygrad.device import CPU, Place, check_device, check_place, is_device
from cygrad.device import device as Device
from cygrad.dtypes import bfloat16
from cygrad.generator import Generator, normal_array, uniform_array
from cygrad.methods import TensorMethods
from cygrad.ops import arithmetic
from cygrad.ops import index as index_ops
from cygrad.ops import shape as shape_ops
from cygrad.printing import show
from cygrad.sizes import Size as TorchSize

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from cygrad.autograd.drawing import Drawing

__all__ = ["Tensor"]


class Tensor(TensorMethods):
    """An ndarray that records how it was computed. As ``torch.Tensor``.

    Most functions of a tensor are methods too. Positional and keyword arguments are those of PyTorch.

    ``Tensor(array)`` shares the array's memory; ``Tensor([1, 2])`` is of float32, and ``Tensor(2, 3)`` has zeros in
    these sizes.

    Args:
        data: an ndarray, which is neither copied nor converted (``cg.tensor`` copies); numbers in nested sequences; a
            tensor, whose memory is shared; or a size.
        requires_grad: whether the tensor requires a gradient; or the next size.
        sizes: further sizes.

    >>> x = cg.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()

    is_cpu = True
    is_cuda = is_mps = is_xpu = is_meta = is_sparse = is_quantized = is_nested = False

    __array_priority__ = 1000  # NumPy leaves array + tensor to the tensor

    def __init__(self, data: Any = (), requires_grad: Any = False, *sizes: int) -> None:
        if type(data) is not np.ndarray:
            data, requires_grad = legacy_arguments(data, requires_grad, sizes)
        super().__init__(data, False)
        if requires_grad:
            self.requires_grad = True

    # Properties

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each dimension."""
        return self.array.shape

    @overload
    def size(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def size(self, dim: int) -> int: ...
    def size(self, dim: int | None = None) -> tuple[int, ...] | int:
        """Return the shape, or the size of one dimension."""
        return self.array.shape if dim is None else self.array.shape[dim]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the elements."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    def dim(self) -> int:
        """Return the number of dimensions."""
        return self.array.ndim

    @property
    def device(self) -> Device:
        """The device, always the CPU."""
        return CPU

    @property
    def layout(self) -> Layout:
        """How the tensor is kept in memory, always ``strided``."""
        return strided

    @property
    def itemsize(self) -> int:
        """The size of an element, in bytes."""
        return self.array.itemsize

    def element_size(self) -> int:
        """Return the size of an element, in bytes."""
        return self.array.itemsize

    @property
    def nbytes(self) -> int:
        """The size of all elements, in bytes."""
        return self.array.nbytes

    @overload
    def stride(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def stride(self, dim: int) -> int: ...
    def stride(self, dim: int | None = None) -> tuple[int, ...] | int:
        """Return the stride of each dimension, or of one, in elements."""
        steps = tuple([s // self.array.itemsize for s in self.array.strides])
        return steps if dim is None else steps[dim]

    def is_nonzero(self) -> bool:
        """Return whether the only element is not zero."""
        return bool(self)

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        recording.reading("data_ptr")
        return self.array.ctypes.data

    def is_contiguous(self) -> bool:
        """Return whether the elements are stored in C order, without gaps."""
        return self.array.flags.c_contiguous

    def is_floating_point(self) -> bool:
        """Return whether the dtype is a float type."""
        return self.array.dtype.kind == "f"

    # Gradients and the graph

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient is computed for this tensor; can be set on leaves."""
        wanted: bool = _requires_grad.__get__(engine.current_or_own(self))
        return wanted

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value and self.array.dtype.kind != "f":
            raise RuntimeError(f"requires_grad: only floats can require a gradient, got {self.array.dtype}")
        if self.node is not None and not value:
            raise RuntimeError("requires_grad: only a leaf can stop requiring a gradient; use detach()")
        _requires_grad.__set__(self, bool(value))

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set :attr:`requires_grad` and return the tensor."""
        self.requires_grad = requires_grad
        return self

    def as_subclass(self, cls: type[T]) -> T:
        """Return the tensor as an instance of a subclass, with the same memory and position in the graph.

        Args:
            cls: a subclass of Tensor; its ``__init__`` is not called.

        Raises:
            TypeError: cls is not one.
        """
        seen = self.view(self.shape)
        if not (isinstance(cls, type) and issubclass(cls, Tensor)):
            raise TypeError(f"as_subclass: cls must be a subclass of Tensor, got {cls!r}")
        result = cls.__new__(cls)
        engine.become(result, seen)
        return result

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor is a leaf: not the result of a recorded op."""
        return engine.current_or_own(self).node is None

    @property
    def grad_fn(self) -> autograd.Node | None:
        """The node of the graph that computed the tensor, None for a leaf."""
        return engine.current(self).node

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient of a leaf, None if there is none."""
        recorder = recording.recorder()
        if recorder is not None:
            recorder.touch([self])
        if self.grad_value is None:
            engine.check_initialized(self)
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
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Tensor | Iterable[Tensor] | None = None,
    ) -> None:
        """Add the gradient of this tensor to the ``grad`` of each leaf it depends on.

        Args:
            gradient: the gradient of this tensor, of its shape; by default 1, for a tensor with one element.
            retain_graph: whether to keep the graph for another backward.
            create_graph: as in :func:`cygrad.autograd.backward`.
            inputs: the leaves to compute gradients for, by default all.
        """
        if gradient is None and inputs is None and not create_graph:
            engine.backward((self,), (engine.seed("backward", self),), bool(retain_graph))
        else:
            autograd.backward(self, None if gradient is None else (gradient,), retain_graph, create_graph, inputs)

    def detach(self) -> Tensor:
        """Return a tensor that shares this one's memory but is not in the graph."""
        result: Tensor = engine.wrap(self.array)
        result._share_version(self)
        return result

    def _share_version(self, other: Tensor) -> None:
        """Count in-place writes together with `other`, whose memory this tensor shares."""
        engine.share_version(self, other)

    def detach_(self) -> Self:
        """Take the tensor out of the graph: it becomes a leaf that requires no gradient."""
        engine.make_leaf(self)
        _requires_grad.__set__(self, False)
        return self

    @property
    def data(self) -> Tensor:
        """A tensor that shares this one's memory, and whose in-place writes backward can't notice: what it saved of
        this tensor is then silently wrong. Writes through :meth:`detach` are noticed."""
        return engine.wrap(self.array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data: the new data must be a Tensor, got {type(value).__name__}")
        if value.dtype != self.dtype:
            raise RuntimeError(f"data: the new data is {value.dtype}, but the tensor is {self.dtype}")
        self.array = value.array

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call a function with the gradient of this tensor whenever backward computes it.

        Args:
            hook: called with the gradient; a tensor that it returns replaces the gradient.

        Returns:
            A handle whose ``remove()`` removes the hook.
        """
        if not self.requires_grad:
            raise RuntimeError("register_hook: the tensor does not require a gradient")
        if self.node is None:
            if self.hooks is None:
                self.hooks = {}
            return add_hook(self.hooks, hook)
        if self.node.hooks is None:
            self.node.hooks = {}
        return add_hook(self.node.hooks.setdefault(self.index, {}), hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Call a function with this leaf whenever backward has added to its ``grad``."""
        if not self.is_leaf or not self.requires_grad:
            raise RuntimeError("register_post_accumulate_grad_hook: expected a leaf that requires a gradient")
        if self.after_hooks is None:
            self.after_hooks = {}
        return add_hook(self.after_hooks, hook)

    def retain_grad(self) -> None:
        """Keep the gradient in ``grad`` even though the tensor is not a leaf."""
        if not self.is_leaf and not self.retains_grad:

            def keep(gradient: Tensor) -> None:
                self.grad_value = gradient.clone() if self.grad_value is None else self.grad_value + gradient

            self.register_hook(keep)

    @property
    def retains_grad(self) -> bool:
        """Whether :meth:`retain_grad` has been called."""
        hooks = self.node.hooks if self.node is not None else None
        return any([hook.__qualname__ == KEEP for hook in (hooks or {}).get(self.index, {}).values()])

    @property
    def _version(self) -> int:
        return self.version.value

    @property
    def output_nr(self) -> int:
        """Which output of :attr:`grad_fn` the tensor is."""
        return self.index

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

    # Conversion to NumPy and Python

    def numpy(self, *, force: bool = False) -> Array:
        """Return the ndarray itself, not a copy.

        Raises RuntimeError if the tensor requires a gradient and gradients are recorded; in ``no_grad`` they are not.

        Backward can't notice writes to the array: what it saved of this tensor is then silently wrong.
        """
        if self.requires_grad and not force and engine.grad_enabled():
            raise RuntimeError("numpy: the tensor requires a gradient; use tensor.detach().numpy()")
        recording.reading("numpy")
        return self.array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        array = self.numpy()
        if copy:
            return np.array(array, dtype)
        if copy is False and dtype is not None and array.dtype != dtype:
            raise ValueError(f"__array__: converting {array.dtype} to {dtype} needs a copy")
        return np.asarray(array, dtype)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
        """Make a tensor of what a function of NumPy has computed from one."""
        return Tensor(np.asarray(array))

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The functions of the array API standard, ``cygrad.array_api``."""
        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            raise ValueError(f"__array_namespace__: the version of the standard is 2024.12, got {api_version}")
        return import_module("cygrad.array_api")

    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor:
        """Return the tensor itself: it is on the CPU."""
        return self.to(device)

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any:
        """Export the memory by the DLPack protocol, or with ``copy=True`` a copy of it."""
        return self.numpy().__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def item(self) -> float:
        """Return the only element as a Python number. Raises RuntimeError unless there is exactly one."""
        if self.array.size != 1:
            raise RuntimeError(f"item: the tensor must have one element, got shape {self.shape}")
        recording.reading("item")
        number: float = self.array.item()
        return number

    def tolist(self) -> Any:
        """Return nested lists of Python numbers, or one number for a tensor without dimensions."""
        recording.reading("tolist")
        return self.array.tolist()

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len: a tensor without dimensions has no length")
        return len(self.array)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.ndim:
            raise TypeError("iter: a tensor without dimensions can't be iterated over")
        return iter(functions.unbind(self))

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise RuntimeError(f"bool: the truth of a tensor of shape {self.shape} is ambiguous; use any() or all()")
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
        result.__dict__.update(self.__dict__)
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.node is not None:
            raise RuntimeError("deepcopy: only a leaf can be copied; use clone() or detach()")
        recording.reading("deepcopy")
        result = type(self)(self.array.copy(), self.requires_grad)
        result.grad_value = None if self.grad_value is None else self.grad_value.clone()
        memo[id(self)] = result
        result.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return result

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        recording.reading("pickling")
        return type(self), (self.array, self.requires_grad and self.node is None), self.__dict__ or None

    # Indexing

    def __getitem__(self, key: Any) -> Tensor:
        key = plain_key(key)
        if isinstance(key, tuple) and (apart := integers_apart(key)):
            return index_ops.getitem(index_ops.getitem(self, key=apart[0]), key=apart[1])
        return index_ops.getitem(self, key=key)

    def __setitem__(self, key: Any, value: Any) -> None:
        try:
            self._put(key, value)
        except ValueError as error:
            if "broadcast" not in str(error) or isinstance(error, ShapeError):
                raise
            shape = np.shape(getattr(value, "array", value))
            raise ShapeError(f"setitem: a value of shape {shape} does not fit the part that it replaces") from error

    def _put(self, key: Any, value: Any) -> None:
        """Write values at a key."""
        key = plain_key(key)
        if isinstance(key, tuple) and (apart := integers_apart(key)):
            index_ops.getitem(self, key=apart[0])[apart[1]] = value
            return
        if isinstance(value, np.ndarray):
            value = plain("setitem", value)
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

    def where(self, condition: Tensor, other: Operand) -> Tensor:
        """Select elements of self where `condition` is true, else of `other`."""
        return arithmetic.where(condition, self, other)

    # Shape

    def reshape(self, *sizes: Size, shape: Any = None) -> Tensor:
        """Return the elements in another shape; see :func:`cygrad.reshape`.

        Args:
            sizes, shape: the shape, as integers or as one sequence of integers; one of them may be −1, which is
                inferred.
        """
        return shape_ops.reshape(self, shape=shape_argument(sizes if shape is None else (shape,)))

    def view(self, *shape: Size | DType, size: Any = None, dtype: Any = None) -> Tensor:
        """Return a view in another shape, or one that reads the same bits as another dtype.

        Args:
            shape: the shape as in :meth:`reshape`, or a dtype.
            size, dtype: the same by name.

        Raises:
            RuntimeError: the memory layout allows no view of this shape.
        """
        if not shape:
            shape = (dtype if size is None else size,)
        if len(shape) == 1 and not isinstance(shape[0], (int, tuple, list)):
            view = Tensor(self._seen_as(shape[0]))
            view._share_version(self)
            return view
        result = shape_ops.reshape(self, shape=shape_argument(shape))
        if self.array.size and not np.shares_memory(result.array, self.array):
            raise RuntimeError(
                f"view: no view of shape {result.shape} exists for shape {self.shape} and strides {self.stride()}"
            )
        return result

    def _seen_as(self, dtype: Any) -> Array:
        """The memory as an array of another dtype."""
        if dtype is None:
            raise TypeError("view: expected sizes or a dtype, got None")
        try:
            return self.numpy().view(dtype)
        except (TypeError, ValueError):
            raise RuntimeError(f"view: {self.dtype} of shape {self.shape} can't be seen as {dtype}") from None

    @checked
    def view_as(self, other: Tensor) -> Tensor:
        """Return a view in the shape of `other`."""
        return self.view(other.shape)

    @checked
    def reshape_as(self, other: Tensor) -> Tensor:
        """Return the elements in the shape of `other`."""
        return self.reshape(other.shape)

    def permute(self, *order: Size, dims: Any = None) -> Tensor:
        """Return a view with the dimensions in another order."""
        return shape_ops.permute(self, dims=shape_argument(order if dims is None else (dims,)))

    def expand(self, *sizes: Size, size: Any = None) -> Tensor:
        """Return a view broadcast to a shape, in which −1 keeps a size."""
        return shape_ops.expand(self, size=shape_argument(sizes if size is None else (size,)))

    @checked
    def expand_as(self, other: Tensor) -> Tensor:
        """Return a view broadcast to the shape of `other`."""
        return shape_ops.expand(self, size=other.shape)

    def repeat(self, *times: Size, repeats: Any = None) -> Tensor:
        """Repeat the whole tensor along each dimension; see also :func:`cygrad.tile`."""
        return shape_ops.repeat(self, sizes=shape_argument(times if repeats is None else (repeats,)))

    def tile(self, *times: Size, dims: Any = None) -> Tensor:
        """Repeat the whole tensor along its last dimensions."""
        return functions.tile(self, shape_argument(times if dims is None else (dims,)))

    def flip(self, *axes: Size, dims: Any = None) -> Tensor:
        """Reverse the order of the elements along dimensions."""
        return shape_ops.flip(self, dims=shape_argument(axes if dims is None else (dims,)))

    @property
    def real(self) -> Tensor:
        """The tensor itself."""
        return self

    @property
    def T(self) -> Tensor:
        """A view with the dimensions in reverse order."""
        return self.permute(*range(self.array.ndim - 1, -1, -1))

    @property
    def mT(self) -> Tensor:
        """A view with the last two dimensions exchanged."""
        if self.array.ndim < 2:
            raise RuntimeError(f"mT: the tensor must have at least 2 dimensions, got shape {self.shape}")
        return functions.transpose(self, -2, -1)

    H, mH = T, mT

    def contiguous(self, memory_format: object = None) -> Tensor:
        """Return the tensor itself if its elements are in C order, else a copy that has them in C order."""
        return self if self.array.flags.c_contiguous else shape_ops.clone(self)

    # Filling

    def fill_(self, value: Operand) -> Self:
        """Set every element to `value`, a number or a tensor without dimensions."""
        if getattr(value, "ndim", 0):
            raise RuntimeError(f"fill_: value must have no dimensions, got shape {tuple(value.shape)}")  # type: ignore[union-attr]
        self[...] = value
        return self

    def zero_(self) -> Self:
        """Set every element to zero."""
        return self.fill_(0)

    def copy_(self, src: Operand, non_blocking: object = False) -> Self:
        """Copy the elements of `src`, broadcast, into the tensor."""
        self[...] = src
        return self

    def uniform_(self, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None) -> Self:
        """Fill the tensor with samples from U[a, b), and return it.

        Raises RuntimeError if a > b or for a leaf that requires a gradient, and ValueError if b − a overflows.
        """
        if not a <= b:
            raise RuntimeError(f"uniform_: a must not be above b, got a={a} and b={b}")
        if self.is_floating_point() and not max(b - a, abs(a), abs(b)) <= np.finfo(self.dtype).max:
            raise ValueError(f"uniform_: the range from {a} to {b} overflows {self.dtype}")
        return index_ops.overwrite("uniform_", self, a + (b - a) * uniform_array(self.shape, self.dtype, generator))

    def normal_(self, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Self:
        """Fill the tensor with samples from N(mean, std²), and return it.

        Raises RuntimeError if std < 0, or for a leaf that requires a gradient.
        """
        if not std >= 0:
            raise RuntimeError(f"normal_: std must not be negative, got {std}")
        return index_ops.overwrite("normal_", self, mean + std * normal_array(self.shape, self.dtype, generator))

    def new_tensor(
        self, data: Nested, *, dtype: DType = None, requires_grad: bool = False, **place: Unpack[Place]
    ) -> Tensor:
        """Create a tensor from a copy of data, by default in this tensor's dtype."""
        check_place("new_tensor", place)
        try:
            source = without_tensors("new_tensor", data)
            return Tensor(kernels.pooled(np.array, source, dtype or self.dtype), requires_grad)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"new_tensor: data is not a rectangular array of numbers ({error})") from None

    def new_empty(
        self, *shape: Size, size: Any = None, dtype: DType = None, requires_grad: bool = False, **place: Unpack[Place]
    ) -> Tensor:
        """Create a tensor with uninitialized elements, by default in this tensor's dtype."""
        return self._new("new_empty", np.empty, shape if size is None else (size,), dtype, requires_grad, place)

    def new_zeros(
        self, *shape: Size, size: Any = None, dtype: DType = None, requires_grad: bool = False, **place: Unpack[Place]
    ) -> Tensor:
        """Create a tensor of zeros, by default in this tensor's dtype."""
        return self._new("new_zeros", np.zeros, shape if size is None else (size,), dtype, requires_grad, place)

    def new_ones(
        self, *shape: Size, size: Any = None, dtype: DType = None, requires_grad: bool = False, **place: Unpack[Place]
    ) -> Tensor:
        """Create a tensor of ones, by default in this tensor's dtype."""
        return self._new("new_ones", np.ones, shape if size is None else (size,), dtype, requires_grad, place)

    def new_full(
        self,
        size: Size,
        fill_value: np.generic | float,
        *,
        dtype: DType = None,
        requires_grad: bool = False,
        **place: Unpack[Place],
    ) -> Tensor:
        """Create a tensor with the same value in each element, by default in this tensor's dtype."""
        if np.ndim(getattr(fill_value, "array", fill_value)):
            raise TypeError(f"new_full: fill_value must be a number, got shape {np.shape(fill_value)}")
        return self._new("new_full", partial(np.full, fill_value=fill_value), (size,), dtype, requires_grad, place)

    def _new(
        self, op: str, function: Any, shape: tuple[Any, ...], dtype: DType, requires_grad: bool, place: Place
    ) -> Tensor:
        """A tensor that one of NumPy's functions creates from a shape."""
        check_place(op, place)
        sizes = checked_sizes(op, shape_argument(shape))
        array = kernels.pooled(partial(function, dtype=dtype or self.array.dtype), sizes)
        return Tensor(array, requires_grad)

    # Dtypes and devices

    def to(
        self,
        *args: Any,
        dtype: DType = None,
        device: object = None,
        copy: bool = False,
        non_blocking: bool = False,
        memory_format: object = None,
        other: Tensor | None = None,
    ) -> Tensor:
        """Convert the tensor to a dtype; returns the tensor itself if it already has that dtype.

        Args:
            args: a device, a dtype, or a tensor whose dtype is taken; then whether not to block, and whether to copy.
            dtype: the dtype.
            device: "cpu"; anything else raises ValueError.
            copy: whether to copy in any case.
            non_blocking, memory_format: accepted, without effect.
            other: a tensor whose dtype is taken.
        """
        flags = [arg for arg in args if isinstance(arg, bool)]
        for arg in [*args, other]:
            if isinstance(arg, Tensor):
                dtype = arg.dtype
            elif is_device(arg):
                device = arg
            elif arg is not None and not isinstance(arg, bool):
                dtype = arg
        copy = copy or flags[1:2] == [True]
        check_device("to", device)
        if dtype is None or np.dtype(dtype) == self.dtype:
            return self.clone() if copy else self
        return shape_ops.cast(self, dtype=np.dtype(dtype))

    @overload
    def type(self, dtype: None = None, non_blocking: object = False) -> str: ...
    @overload
    def type(self, dtype: Any, non_blocking: object = False) -> Any: ...
    def type(self, dtype: Any = None, non_blocking: object = False) -> Any:
        """Convert the tensor to a dtype; without one, return the name of its type, such as "cygrad.FloatTensor".

        Args:
            dtype: a dtype, or the name of a type, or a type such as ``cg.FloatTensor``, which ``cg.Tensor`` means too.
            non_blocking: accepted, without effect.

        Raises:
            ValueError: there is no type of this name.
        """
        if dtype is None:
            name = next((n for n, d in TYPE_NAMES.items() if d == self.array.dtype.name), self.array.dtype.name)
            return f"{'torch' if follows_torch() else 'cygrad'}.{name}"
        if isinstance(dtype, str):
            name = dtype.rpartition(".")[2]
            if name not in TYPE_NAMES:
                raise ValueError(f"type: expected one of {', '.join(TYPE_NAMES)}, got {dtype!r}")
            dtype = TYPE_NAMES[name]
        if isinstance(dtype, type):
            dtype = default_float() if dtype is Tensor else vars(dtype).get("dtype", dtype)
        return self.to(dtype)

    @checked
    def type_as(self, other: Tensor) -> Tensor:
        """Convert the tensor to the dtype of `other`."""
        return self.to(other.dtype)

    def float(self, memory_format: object = None) -> Tensor:
        """Convert the tensor to float32."""
        return self.to(np.float32)

    def double(self, memory_format: object = None) -> Tensor:
        """Convert the tensor to float64."""
        return self.to(np.float64)

    def half(self, memory_format: object = None) -> Tensor:
        """Convert the tensor to float16, in which numbers are stored; most ops compute in float32."""
        return self.to(np.float16)

    def bfloat16(self, memory_format: object = None) -> Tensor:
        """Raise TypeError: NumPy has no such dtype. Under :mod:`cygrad.torch`, ``float`` with a warning."""
        return self.to(bfloat16)

    def short(self, memory_format: object = None) -> Tensor:
        """Convert the tensor to int16."""
        return self.to(np.int16)

    def byte(self, memory_format: object = None) -> Tensor:
        """Convert the tensor to uint8."""
        return self.to(np.uint8)

    def char(self, memory_format: object = None) -> Tensor:
        """Convert the tensor to int8."""
        return self.to(np.int8)

    def long(self, memory_format: object = None) -> Tensor:
        """Convert the tensor to int64."""
        return self.to(np.int64)

    def int(self, memory_format: object = None) -> Tensor:
        """Convert the tensor to int32."""
        return self.to(np.int32)

    def bool(self, memory_format: object = None) -> Tensor:
        """Convert the tensor to bool: whether each element is not zero."""
        return self.to(np.bool_)

    def cpu(self, memory_format: object = None) -> Tensor:
        """Return the tensor itself."""
        return self

    def cuda(self, device: object = None, non_blocking: object = False, memory_format: object = None) -> Tensor:
        """Raise ValueError: cygrad computes on the CPU only."""
        check_device("cuda", "cuda")
        return self


_requires_grad: Any = autograd.Value.requires_grad


T = TypeVar("T", bound=Tensor)
TYPE_NAMES = {
    "FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "LongTensor": "int64",
    "IntTensor": "int32", "ShortTensor": "int16", "CharTensor": "int8", "ByteTensor": "uint8", "BoolTensor": "bool",
}  # fmt: skip


def without_tensors(op: str, data: Any, inside: bool = False) -> Any:
    """Nested lists, with arrays in place of tensors. Inside of a list, a tensor of one element is a number, whatever
    its shape, as in PyTorch."""
    if isinstance(data, Tensor):
        recording.reading(op)
        return data.array.reshape(()) if inside and data.array.size == 1 else data.array
    if isinstance(data, np.ndarray):
        return plain(op, data)
    return [without_tensors(op, item, True) for item in data] if isinstance(data, (list, tuple)) else data


def legacy_arguments(data: Any, requires_grad: Any, sizes: tuple[int, ...]) -> tuple[Any, Any]:
    """The array of a tensor that is made from something else, and whether it requires a gradient."""
    if isinstance(data, Tensor):
        recording.reading("Tensor")
        return data.array, requires_grad
    if isinstance(data, TorchSize):
        return kernels.pooled(np.zeros, data, default_float()), requires_grad
    if type(data) is int:
        flag = isinstance(requires_grad, bool)
        shape = (data, *sizes) if flag else (data, requires_grad, *sizes)
        return kernels.pooled(np.zeros, shape, default_float()), flag and requires_grad
    if hasattr(data, "dtype") or hasattr(data, "__array__"):
        return data, requires_grad
    if isinstance(data, (str, bytes)) or not isinstance(data, (Sequence, float)):
        raise TypeError(f"Tensor: data must be an array, numbers or sizes, got {type(data).__name__}")
    try:
        items = without_tensors("Tensor", list(data)) if isinstance(data, Sequence) else data
        return kernels.pooled(np.array, items, default_float()), requires_grad
    except (ValueError, RecursionError) as error:  # the second where a list contains itself
        raise ValueError(f"Tensor: data is not a rectangular array of numbers ({error})") from None


KEEP = "Tensor.retain_grad.<locals>.keep"
SEQUENCES = (list, tuple, slice, Tensor, type(None), type(Ellipsis))


def integers_apart(key: tuple[Any, ...]) -> tuple[Any, Any] | None:
    """An index with integers beside arrays as two: first the integers and slices, which give a view, then the arrays.
    PyTorch reads it so, NumPy takes an integer as an array. None for any other index."""
    arrays = [isinstance(part, np.ndarray) for part in key]
    if True not in arrays or not any([isinstance(part, (int, np.integer)) for part in key]):
        return None
    if any([isinstance(part, bool) for part in key]):
        return None
    first: list[Any] = []
    second: list[Any] = []
    for part in key:
        if isinstance(part, np.ndarray):
            first += [slice(None)] * (part.ndim if part.dtype.kind == "b" else 1)
            second.append(part)
        else:
            first.append(part)
            if not isinstance(part, (int, np.integer)):
                second.append(part if part is Ellipsis else slice(None))
    return tuple(first), tuple(second)


def plain_key(key: Any) -> Any:
    """An index in which copies of arrays replace tensors, arrays and lists."""
    if isinstance(key, list) and any([isinstance(part, SEQUENCES) for part in key]):
        key = tuple(key)
    if isinstance(key, tuple):
        return tuple([plain_part(part) for part in key])
    return plain_part(key)


def plain_part(part: Any) -> Any:
    if isinstance(part, Tensor):
        array = part.array
        if array.dtype.kind == "f":
            raise IndexError(f"index: a tensor that indexes must hold integers or booleans, got {array.dtype}")
        if array.dtype.char in "bhHIL":
            raise IndexError(f"index: a tensor that indexes must be int64, int32, uint8 or bool, got {array.dtype}")
        if array.dtype.char == "B":
            array = array.astype(bool)
        if array.dtype.kind == "b" or not array.ndim:
            recording.reading("an index")
        return array.item() if array.ndim == 0 and array.dtype.kind in "iu" else recording.copied(array)
    if isinstance(part, list):
        return np.asarray(part, None if part else np.int64)
    if isinstance(part, np.ndarray):
        return plain("index", part).copy()
    if isinstance(part, slice):
        start, stop, step = [v if v is None else v.__index__() for v in (part.start, part.stop, part.step)]
        if step is not None and step <= 0:
            raise ValueError(f"index: the step of a slice must be positive, got {step}; use flip() to reverse")
        return slice(start, stop, step)
    return part


autograd.use_value_type(Tensor)
