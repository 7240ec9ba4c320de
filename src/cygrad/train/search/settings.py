"""The settings of a search: one frozen object for the command line, for files and for Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any

from cygrad.train.metrics import HIGHER_IS_BETTER

__all__ = ["PRUNERS", "SAMPLERS", "SETTINGS", "Search"]

SAMPLERS = ("tpe", "random", "grid", "cmaes", "gp")
PRUNERS = ("median", "halving", "hyperband", "none")
DIRECTIONS = ("minimize", "maximize")
TYPES: dict[Any, tuple[tuple[type, ...], str]] = {
    int: ((int,), "an integer"),
    float: ((int, float), "a number"),
    str: ((str,), "a string"),
}


def setting(default: Any, parse: Callable[[str], Any], metavar: str, text: str) -> Any:
    """Declare a setting: its default, parser, metavar and help text."""
    return field(default=default, metadata={"parse": parse, "metavar": metavar, "help": text})


@dataclass(frozen=True)
class Search:
    """How to search. The constructor checks the settings.

    Args:
        trials: number of trials of the study, over all workers; by default 50, or all points of a grid.
        metric: name of the value to optimize.
        direction: ``"minimize"`` or ``"maximize"``; by default what fits the metric's name.
        sampler: ``"tpe"`` (tree-structured Parzen estimators), ``"random"``, ``"grid"``, ``"cmaes"`` or ``"gp"``
            (Gaussian processes); the last two need the packages cmaes and torch.
        pruner: which trials end early: ``"median"``, those whose best value so far is worse than the median of others
            at the same epoch; ``"halving"`` (asynchronous successive halving), ``"hyperband"``, or ``"none"``.
        warmup: epochs that every trial gets.
        storage: a path that ends in .db (SQLite) or .log (a journal), or a URL such as ``postgresql://…``. All workers
            that name it share the study. In memory by default.
        study: name of the study in its storage.
        seed: of the sampler. Trial number k draws the same whichever worker runs it.
        jobs: trials at a time in this process, one core each, by default one per core; 1 trial has all cores.
        stale: seconds without a sign of life after which a trial of another worker is taken up again.

    Raises:
        TypeError: if a setting has the wrong type.
        ValueError: if a setting is out of range.

    Example:
        >>> cg.train.Search(trials=20, metric="val_accuracy").maximizes
        True
    """

    trials: int | None = setting(
        None, int, "N", "trials of the study, over all workers (default: 50, or all of a grid)"
    )
    metric: str = setting("val_loss", str, "NAME", "what to optimize, at the best epoch of each trial")
    direction: str | None = setting(None, str, "HOW", "minimize or maximize (default: by the metric)")
    sampler: str = setting("tpe", str, "NAME", f"{', '.join(SAMPLERS[:-1])} or {SAMPLERS[-1]}")
    pruner: str = setting("median", str, "NAME", f"{', '.join(PRUNERS[:-1])} or {PRUNERS[-1]}: which trials end early")
    warmup: int = setting(5, int, "N", "epochs that every trial gets")
    storage: str | None = setting(
        None, str, "PLACE", "file of SQLite (.db) or a journal (.log), or a URL (default: study.db in the folder)"
    )
    study: str = setting("sweep", str, "NAME", "name of the study in its storage")
    seed: int = setting(0, int, "N", "seed of the sampler")
    jobs: int | None = setting(
        None, int, "N", "trials at a time, one core each (default: all cores); 1 trial has all cores"
    )
    stale: float = setting(60.0, float, "S", "seconds of silence after which another worker's trial is taken up again")

    def __post_init__(self) -> None:
        for name, option in SETTINGS.items():
            types, wanted = TYPES[option.metadata["parse"]]
            value = getattr(self, name)
            optional = value is None and option.default is None
            if not optional and (not isinstance(value, types) or isinstance(value, bool)):
                raise TypeError(f"sweep: {name} must be {wanted}, got {value!r}")
        for name, known in ("sampler", SAMPLERS), ("pruner", PRUNERS), ("direction", (None, *DIRECTIONS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"sweep: {name} must be one of {', '.join(filter(None, known))}, got {getattr(self, name)!r}"
                )
        for name, least in ("trials", 1), ("jobs", 1), ("warmup", 0), ("seed", 0):
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise ValueError(f"sweep: {name} must be at least {least}, got {getattr(self, name)}")
        if not 1 <= self.stale < float("inf"):
            raise ValueError(f"sweep: stale must be at least 1 second and finite, got {self.stale}")

    @property
    def maximizes(self) -> bool:
        """Whether larger values are better."""
        return self.metric.endswith(HIGHER_IS_BETTER) if self.direction is None else self.direction == "maximize"


SETTINGS: dict[str, Field[Any]] = {option.name: option for option in fields(Search)}
