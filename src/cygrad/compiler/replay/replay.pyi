from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cygrad import _kernels as kernels
from cygrad._typing import Array
from cygrad.autograd import Value

UNAVAILABLE: object

Words = list[tuple[Any, str, int]]

class TensorSpec:
    dtype: Any
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    def __init__(self, array: Array) -> None: ...

class Inputs:
    specs: tuple[TensorSpec | None, ...]
    buffers: tuple[Array | None, ...]
    constants: tuple[Any, ...]
    structure: Any
    written: list[tuple[int, int]]
    def __init__(
        self,
        args: Sequence[Any],
        arrays: dict[int, Array],
        buffers: dict[int, Array],
        structure: Any,
        groups: list[list[int]],
    ) -> None: ...
    def connect(
        self, written: list[tuple[int, int]], changed: list[tuple[int, int]], used: list[tuple[int, int]]
    ) -> None: ...
    def share_as_recorded(self, args: Sequence[Any]) -> bool: ...
    def write_back(self, args: Sequence[Any]) -> int: ...

class LeafGuard:
    leaf: Value
    def __init__(self, leaf: Value) -> None: ...

class Binding:
    place: int
    container: Any
    key: Any
    value: Any
    def __init__(self, place: int, container: Any, key: Any, value: Any) -> None: ...
    def holds(self) -> bool: ...

class GradientSlot:
    leaf: Value
    before: Array | None
    after: Value | None
    def __init__(self, leaf: Value, before: Array | None, deleted: bool, after: Value | None) -> None: ...
    @property
    def repeats(self) -> bool: ...

class OptimizerUpdate:
    optimizer: Any
    group: dict[str, Any]
    params: list[Value]
    def __init__(
        self,
        optimizer: Any,
        group: dict[str, Any],
        params: list[Value],
        states: list[dict[str, Any]],
        tensors: list[dict[str, Value]],
        launch: Any,
    ) -> None: ...
    def prepare_part(self) -> None: ...
    def commit_part(self) -> None: ...
    def words(self) -> Words: ...

class RandomDraws:
    generator: Any
    total: int
    def __init__(self, generator: Any, draws: Iterable[tuple[Any, int]]) -> None: ...
    def __call__(self) -> None: ...
    def words(self) -> Words: ...

class Effects:
    gradients: tuple[GradientSlot, ...]
    versions: tuple[Any, ...]
    updates: tuple[OptimizerUpdate, ...]
    draws: tuple[RandomDraws, ...]
    def __init__(
        self,
        gradients: Iterable[GradientSlot],
        versions: Iterable[Any],
        updates: Iterable[OptimizerUpdate],
        draws: Iterable[RandomDraws],
    ) -> None: ...

class Guards:
    grad_mode: bool
    leaves: tuple[LeafGuard, ...]
    gradients: tuple[GradientSlot, ...]
    bindings: tuple[Binding, ...]
    updates: tuple[OptimizerUpdate, ...]
    def __init__(
        self,
        grad_mode: bool,
        leaves: Iterable[LeafGuard],
        gradients: Iterable[GradientSlot],
        bindings: Iterable[Binding],
        modules_unchanged: Callable[[], bool],
        updates: Iterable[OptimizerUpdate],
    ) -> None: ...

class Replay:
    inputs: Inputs
    guards: Guards
    effects: Effects
    parts: list[Any]
    results: list[Array]
    build_result: Callable[[list[Any]], Any] | None
    lock: kernels.OwnedLock
    returned: list[int | None] | None
    kept: list[Any] | None
    runs: int
    def __init__(
        self,
        inputs: Inputs,
        guards: Guards,
        effects: Effects,
        parts: list[Any],
        first_update: int,
        results: list[Array],
        build_result: Callable[[list[Any]], Any] | None,
        returned: list[int | None] | None = None,
    ) -> None: ...
    def accepts(self, args: Sequence[Any]) -> bool: ...
    def __call__(self, args: Sequence[Any]) -> Any: ...
    def run_observed(self, args: Sequence[Any], observer: Callable[[Any], None]) -> Any: ...
    def repeat(self, loop: Any, times: int) -> int: ...
    def result(self) -> Any: ...
    def keep(self, args: Sequence[Any]) -> None: ...
    def result_with(self, args: Sequence[Any]) -> Any: ...

class Replays:
    def add(self, replay: Replay) -> None: ...

class Dispatcher:
    replays: Replays
    def __init__(self, replays: Replays, fallback: Callable[[tuple[Any, ...], dict[str, Any]], Any]) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
