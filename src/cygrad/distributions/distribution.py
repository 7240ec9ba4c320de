"""The base class of distributions, and what they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cygrad._typing import Array
from cygrad.autograd import no_grad, recording
from cygrad.config import default_float
from cygrad.distributions.constraints import Constraint, independent, is_dependent
from cygrad.generator import numpy_generator
from cygrad.sizes import Size
from cygrad.tensor import Tensor

__all__ = ["Distribution", "Independent", "as_parameters", "drawn", "sum_last"]


class Distribution:
    """A distribution over tensors: ``batch_shape`` independent ones, each over tensors of ``event_shape``. As
    ``torch.distributions.Distribution``.

    Args:
        batch_shape: the shape of the parameters.
        event_shape: the shape of one sample.
        validate_args: whether parameters and values are checked, by default yes.
    """

    has_rsample: ClassVar[bool] = False
    has_enumerate_support: ClassVar[bool] = False
    _parameter_names: ClassVar[tuple[str, ...]] = ()  # the attributes that `expand` expands
    support: Any = None  # a constraint: which values samples have
    _checks_support: ClassVar[bool] = True  # whether values are checked by it; some classes check them in other ways
    arg_constraints: ClassVar[dict[str, Any]] = {}  # which values its attributes may have: arguments.py
    _validate_args = True

    if TYPE_CHECKING:  # parameters are attributes

        def __getattr__(self, name: str) -> Any: ...

    def __init__(
        self, batch_shape: Sequence[int] = (), event_shape: Sequence[int] = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        owner = next(base for base in type(self).__mro__ if "arg_constraints" in vars(base))
        if owner.__module__.startswith("cygrad."):
            return  # the constructors of this library check their arguments themselves
        for name, constraint in self.arg_constraints.items():
            value = vars(self).get(name)  # not that of a property, which may cost much
            if isinstance(value, Tensor) and isinstance(constraint, Constraint) and not is_dependent(constraint):
                self._require(name, constraint.check(value.detach()), constraint.text)

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one sample."""
        return self._event_shape

    @classmethod
    def set_default_validate_args(cls, value: bool) -> None:
        """Choose whether distributions check their arguments by default."""
        Distribution._validate_args = value

    def _require(self, name: str, condition: Tensor, what: str) -> None:
        """Raise ValueError unless a condition holds everywhere, if arguments are checked."""
        if self._validate_args:
            recording.call_again(check_everywhere, condition.array, f"{type(self).__name__}: {name} must be {what}")

    def _take(self, validate_args: bool | None, **values: Any) -> None:
        """Store parameters, as tensors of one shape; all but `loc` must be positive."""
        tensors = dict(zip(values, as_parameters(*values.values())))
        vars(self).update(tensors)
        Distribution.__init__(self, next(iter(tensors.values())).shape, (), validate_args)
        for name, value in tensors.items():
            self._require(
                name, value == value if name == "loc" else value > 0, "a number" if name == "loc" else "positive"
            )

    def _checked(self, value: Any) -> Tensor:
        """A value as a tensor; raise ValueError unless it lies in the support, if arguments are checked."""
        result = value if isinstance(value, Tensor) else Tensor(np.asarray(value, default_float()))
        if self._validate_args and self._checks_support and self.support is not None and not is_dependent(self.support):
            self._require("value", self.support.check(result.detach()), self.support.text)
        return result

    def _validate_sample(self, value: Any) -> None:
        """Raise ValueError unless a value lies in the support, as distributions of the user's own ask for."""
        self._checked(value)

    def _get_checked_instance(self, cls: type[Any], _instance: Any = None) -> Any:
        """An instance that is not initialized, for the ``expand`` of a distribution of the user's own."""
        if _instance is None and type(self).__init__ is not cls.__init__:
            raise NotImplementedError(f"{type(self).__name__}: its constructor differs, so it must define expand")
        return object.__new__(type(self)) if _instance is None else _instance

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> Size:
        return Size((*sample_shape, *self.batch_shape, *self.event_shape))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """Return the distribution with its parameters expanded to a batch shape."""
        copy = object.__new__(type(self))
        vars(copy).update(vars(self))
        for name in self._parameter_names:
            value = getattr(self, name)
            own = value.shape[len(self.batch_shape) :]
            setattr(copy, name, value.expand((*batch_shape, *own)))
        copy._batch_shape = Size(batch_shape)
        return copy

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw samples, outside of the graph.

        Args:
            sample_shape: how many, in which shape.

        Returns:
            A tensor of shape sample_shape + batch_shape + event_shape.
        """
        with no_grad():
            return self.rsample(sample_shape)

    def sample_n(self, n: int) -> Tensor:
        """Draw n samples."""
        return self.sample((n,))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw samples through which gradients reach the parameters."""
        raise NotImplementedError(f"{type(self).__name__}: samples have no gradient; use sample()")

    def log_prob(self, value: Any) -> Tensor:
        """Return the logarithm of the density or probability at a value."""
        raise NotImplementedError(f"{type(self).__name__}: log_prob is not defined")

    def entropy(self) -> Tensor:
        """Return the entropy, in nats, for each of the batch."""
        raise NotImplementedError(f"{type(self).__name__}: the entropy has no closed form")

    def cdf(self, value: Any) -> Tensor:
        """Return the probability of at most a value."""
        raise NotImplementedError(f"{type(self).__name__}: cdf is not defined")

    def icdf(self, value: Any) -> Tensor:
        """Return the quantile of a probability, the inverse of :meth:`cdf`."""
        raise NotImplementedError(f"{type(self).__name__}: icdf is not defined")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all values that a sample can have, along a new first dimension."""
        raise NotImplementedError(f"{type(self).__name__}: the support can't be enumerated")

    def perplexity(self) -> Tensor:
        """Return e to the power of the entropy."""
        return self.entropy().exp()

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise NotImplementedError(f"{type(self).__name__}: mean is not defined")

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        raise NotImplementedError(f"{type(self).__name__}: mode is not defined")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError(f"{type(self).__name__}: variance is not defined")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.variance.sqrt()

    def __repr__(self) -> str:
        names = self._parameter_names or [name for name in self.arg_constraints if name in vars(self)]
        values = [(name, getattr(self, name)) for name in names]
        shown = [f"{name}: {v.item() if v.numel() == 1 else v.shape}" for name, v in values]
        return f"{type(self).__name__}({', '.join(shown)})"


def check_everywhere(condition: Array, message: str) -> None:
    """Raise ValueError unless all elements are true."""
    if not condition.all():
        raise ValueError(message)


def as_parameters(*values: Any) -> list[Tensor]:
    """Parameters as tensors of one shape; numbers take the dtype of the first tensor."""
    dtype = next((v.array.dtype for v in values if isinstance(v, Tensor) and v.array.dtype.kind == "f"), None)
    dtype = dtype or default_float()
    tensors = [v if isinstance(v, Tensor) else Tensor(np.asarray(v, dtype)) for v in values]
    shape = np.broadcast_shapes(*[tensor.shape for tensor in tensors])
    return [tensor if tensor.shape == shape else tensor.expand(shape) for tensor in tensors]


def drawn(method: str, shape: Sequence[int], *parameters: Tensor) -> Tensor:
    """Samples by a method of NumPy's generator, in the parameters' dtype."""
    return Tensor(recording.produced(drawn_array, method, tuple(shape), *[p.array for p in parameters]))


def drawn_array(method: str, shape: tuple[int, ...], *parameters: Any) -> Any:
    given = [p.astype(np.float64) for p in parameters]
    if method == "binomial":
        given[0] = given[0].astype(np.int64)
    values = getattr(numpy_generator(None), method)(*given, size=shape)
    return np.asarray(values, parameters[0].dtype)


def sum_last(value: Tensor, dims: int) -> Tensor:
    """The sum over the last dimensions."""
    return value.sum(tuple(range(-dims, 0))) if dims else value


class Independent(Distribution):
    """A distribution whose last batch dimensions count as dimensions of the event: log_prob and entropy sum over them.

    Args:
        base_distribution: the distribution.
        reinterpreted_batch_ndims: the number of these dimensions.
        validate_args: whether arguments are checked.

    >>> d = cg.distributions
    >>> d.Independent(d.Normal(cg.zeros(3), 1.0), 1).log_prob(cg.zeros(3)).shape
    ()
    """

    _checks_support = False  # the base distribution does

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args: bool | None = None
    ) -> None:
        shape = base_distribution.batch_shape
        if not 0 <= reinterpreted_batch_ndims <= len(shape):
            raise ValueError(
                f"Independent: reinterpreted_batch_ndims must lie in 0 to {len(shape)}, got {reinterpreted_batch_ndims}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        cut = len(shape) - reinterpreted_batch_ndims
        super().__init__(shape[:cut], (*shape[cut:], *base_distribution.event_shape), validate_args)

    @property
    def support(self) -> Any:
        """The support of the base distribution, in all elements of an event."""
        return independent(self.base_dist.support, self.reinterpreted_batch_ndims)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether samples have gradients."""
        return self.base_dist.has_rsample

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Independent:
        own = self.event_shape[: self.reinterpreted_batch_ndims]
        return Independent(self.base_dist.expand((*batch_shape, *own)), self.reinterpreted_batch_ndims)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Any) -> Tensor:
        return sum_last(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        return sum_last(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def __repr__(self) -> str:
        return f"Independent({self.base_dist!r}, {self.reinterpreted_batch_ndims})"
