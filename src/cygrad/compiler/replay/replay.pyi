from collections.abc import Callable, Sequence
from typing import Any

class Form:
    dtype: Any
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    def __init__(self, array: Any) -> None: ...

class Update:
    optimizer: Any
    group: Any
    def __init__(self, moved: Any, names: tuple[str, ...]) -> None: ...
    def words(self) -> list[tuple[Any, str, int]]: ...

class Draws:
    generator: Any
    total: int
    def __init__(self, generator: Any, draws: list[Any]) -> None: ...
    def __call__(self) -> None: ...
    def words(self) -> list[tuple[Any, str, int]]: ...

class Replay:
    forms: list[Any]
    constants: list[Any]
    buffers: list[Any]
    leaves: list[Any]
    arrays: list[Any]
    flags: list[bool]
    bindings: list[Any]
    versions: list[Any]
    grad_leaves: list[Any]
    grads_before: list[Any]
    grads_after: list[Any]
    updates: list[Update]
    draws: list[Draws]
    parts: list[Any]
    modules_fit: Any
    grad_mode: bool
    structure: Any
    build: Any
    results: list[Any]
    writes_at: int | None
    lock: Any
    changes: int
    runs: int
    def seal(self) -> None: ...
    def fits(self, args: Sequence[Any]) -> bool: ...
    def __call__(self, args: Sequence[Any]) -> Any: ...
    def checked(self, args: Sequence[Any], visit: Callable[[Any], None]) -> Any: ...
    def result_now(self) -> Any: ...
    def repeat(self, loop: Any, times: int) -> int: ...

def prepare(update: Update) -> Callable[[], None]: ...
def commit(update: Update) -> Callable[[], None]: ...

class Dispatcher:
    replays: list[Replay]
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
