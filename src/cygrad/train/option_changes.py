"""The options of a training, as a checkpoint keeps them: a training that is resumed with others is told so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cygrad.train.clipping import in_words

if TYPE_CHECKING:
    from cygrad.train.trainer import Trainer

__all__ = ["ResumeWarning", "changes", "options_of"]

PLAIN = (bool, int, float, str, type(None))


class ResumeWarning(UserWarning):
    """A training is resumed with other options than those that it began with."""


def options_of(trainer: Trainer) -> dict[str, Any]:
    """The options of a trainer whose training has not begun: its own, and those of optimizer and scheduler."""
    t = trainer
    groups = [{k: v for k, v in group.items() if k != "params"} for group in t.optimizer.param_groups]
    found: dict[str, Any] = {
        "loss": getattr(t.loss, "__name__", type(t.loss).__name__),
        "monitor": t.monitor,
        "clip": in_words(*t.clip),
        "ema": t.ema,
        "swa": t.swa and t.swa.start,
        "scheduler_interval": t.scheduler and t.scheduler_interval,
        "seed": t.seed,
    }
    if t.early_stopping is not None:
        found.update({name: getattr(t.early_stopping, name) for name in ("patience", "min_delta", "mode")})
    for number, group in enumerate(groups):
        place = "optimizer's " if len(groups) == 1 else f"optimizer's group {number}'s "
        found.update(listed(place, group))
    if t.scheduler is not None:
        found.update(listed("scheduler's ", t.scheduler.state_dict()))
    return found


def listed(place: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values that are plain, or lists of such, under longer names."""
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    plain = {name: value for name, value in lists.items() if is_plain(value)}
    return {f"{place}{name}": value for name, value in plain.items() if not name.startswith("_")}


def is_plain(value: Any) -> bool:
    return isinstance(value, PLAIN) or (isinstance(value, list) and all(isinstance(item, PLAIN) for item in value))


def changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What differs, in words; nothing where nothing does.

    >>> from cygrad.train.option_changes import changes
    >>> changes({"clip": None, "seed": 0}, {"clip": "norm 1.0", "seed": 0})
    'clip was None and is norm 1.0'
    """
    names = [name for name in before if name in now and before[name] != now[name]]
    return ", ".join(f"{name} was {before[name]} and is {now[name]}" for name in names)
