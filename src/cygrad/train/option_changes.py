"""The options of a training, saved in its checkpoints, so that a change is noticed when it is resumed."""

from __future__ import annotations

from typing import Any

from cygrad.train.clipping import describe_clip
from cygrad.train.protocols import ConfiguredTrainer

__all__ = ["ResumeWarning", "describe_changes", "options_of"]

PLAIN = (bool, int, float, str, type(None))


class ResumeWarning(UserWarning):
    """A training is resumed with options that differ from those it was started with."""


def options_of(trainer: ConfiguredTrainer) -> dict[str, Any]:
    """The options of a trainer before its training starts, with those of its optimizer and scheduler."""
    t = trainer
    groups = [{k: v for k, v in group.items() if k != "params"} for group in t.optimizer.param_groups]
    options: dict[str, Any] = {
        "loss": getattr(t.loss, "__name__", type(t.loss).__name__),
        "monitor": t.monitor,
        "clip": describe_clip(*t.clip),
        "ema": t.ema,
        "swa": t.swa and t.swa.start,
        "scheduler_interval": t.scheduler and t.scheduler_interval,
        "seed": t.seed,
        "deterministic_shards": t.deterministic_shards,
    }
    if t.early_stopping is not None:
        options.update({name: getattr(t.early_stopping, name) for name in ("patience", "min_delta", "mode", "ties")})
    for number, group in enumerate(groups):
        prefix = "optimizer's " if len(groups) == 1 else f"optimizer's group {number}'s "
        options.update(plain_values(prefix, group))
    if t.scheduler is not None:
        options.update(plain_values("scheduler's ", t.scheduler.state_dict()))
    return options


def plain_values(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    """The public values that are numbers, texts, None, or lists of them, with a prefix before their names."""
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return {f"{prefix}{name}": value for name, value in lists.items() if is_plain(value) and not name.startswith("_")}


def is_plain(value: Any) -> bool:
    return isinstance(value, PLAIN) or (isinstance(value, list) and all(isinstance(item, PLAIN) for item in value))


def describe_changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Describe the options that differ; an empty string if none does.

    Example:
        >>> from cygrad.train.option_changes import describe_changes
        >>> describe_changes({"clip": None, "seed": 0}, {"clip": "norm 1.0", "seed": 0})
        'clip was None and is norm 1.0'
    """
    names = [name for name in before if name in now and before[name] != now[name]]
    return ", ".join(f"{name} was {before[name]} and is {now[name]}" for name in names)
