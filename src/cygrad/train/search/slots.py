"""Who runs which trial of a study, with any number of workers on any number of machines.

A study of N trials has N slots. The trials of Optuna are attempts at them: the first N fresh ones fill the slots in the
order of their numbers, which a storage gives out one by one; a later attempt, with the same parameters, says which slot
it is for. A worker makes an attempt and then looks whether it is the first one: if another worker was faster, it leaves
its own. So nothing depends on a storage that can compare and swap, which Optuna's on SQLite can't.

Workers count up a number beside their running trials. A number that stands still belongs to a worker that is gone: its
trial is marked as failed, and its slot is free. No clocks of two machines are compared.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from cygrad.train.search.needed import optuna

__all__ = ["Beats", "Claim", "Slots", "attempts_of"]

SLOT, ATTEMPT, BEAT, RELEASED = "slot", "attempt", "beat", "released"  # attributes of Optuna's trials


class Claim(NamedTuple):
    """A trial that this worker runs: Optuna's identifier, the slot, the attempt, and the parameters if an earlier
    attempt had them."""

    id: int
    slot: int
    attempt: int
    params: dict[str, Any]


def attempts_of(trials: Iterable[Any], count: int) -> list[list[Any]]:
    """The attempts at each of `count` slots, without those that another worker was faster than."""
    slots: list[list[Any]] = [[] for _ in range(count)]
    fresh = 0
    for trial in sorted(trials, key=lambda trial: int(trial.number)):
        slot, attempt = trial.user_attrs.get(SLOT, fresh), trial.user_attrs.get(ATTEMPT, 0)
        fresh += SLOT not in trial.user_attrs
        if slot < count and attempt == len(slots[slot]):
            slots[slot].append(trial)
    return slots


class Slots:
    """The slots of a study, as one worker sees them.

    Args:
        study: of Optuna.
        storage: its storage.
        count: number of slots.
        distributions: of the parameters.
        stale: seconds without a sign of life after which a trial is given up.
    """

    def __init__(self, study: Any, storage: Any, count: int, distributions: dict[str, Any], stale: float) -> None:
        self.study, self.storage = study, storage
        self.id = storage.get_study_id_from_name(study.study_name)
        self.count = count
        self.distributions = distributions
        self.stale = stale
        self.seen: dict[int, tuple[int, float]] = {}  # the beat of each trial that runs, and since when

    def latest(self) -> list[Any]:
        """The last attempt at each slot, None if there is none."""
        return [attempts[-1] if attempts else None for attempts in self.attempts()]

    def attempts(self) -> list[list[Any]]:
        """All attempts at each slot."""
        return attempts_of(self.study.get_trials(deepcopy=False), self.count)

    def claim(self) -> Claim | None:
        """Take the first free slot. None if there is none now."""
        while True:
            attempts = self.attempts()
            free = [slot for slot, tries in enumerate(attempts) if is_free(tries)]
            if not free:
                return None
            claim = self.attempt(free[0], attempts[free[0]])
            if claim is not None:
                return claim

    def attempt(self, slot: int, before: list[Any]) -> Claim | None:
        """Make an attempt at a slot; None if another worker was faster, and no slot is left for it."""
        params = before[-1].params if before and before[-1].params.keys() == self.distributions.keys() else {}
        notes = {SLOT: slot, ATTEMPT: len(before), BEAT: 0} if before else {BEAT: 0}
        frozen = optuna().trial.create_trial(
            state=optuna().trial.TrialState.RUNNING,
            params=params,
            distributions=self.distributions if params else {},
            user_attrs=notes,
        )
        number = self.storage.create_new_trial(self.id, frozen)
        for found, attempts in enumerate(self.attempts()):
            if attempts and attempts[-1]._trial_id == number:
                return Claim(number, found, len(attempts) - 1, dict(params))
        self.release([number], "another worker was faster")
        return None

    def release(self, trials: Iterable[int], why: str) -> None:
        """Give up trials that run, so that their slots are free."""
        for trial in trials:
            with contextlib.suppress(optuna().exceptions.OptunaError, RuntimeError):
                self.storage.set_trial_user_attr(trial, RELEASED, why)
                self.storage.set_trial_state_values(trial, optuna().trial.TrialState.FAIL)

    def release_stale(self, mine: Iterable[int]) -> None:
        """Give up trials of workers that have shown no sign of life."""
        now, own = time.monotonic(), set(mine)
        for trial in self.latest():
            if trial is None or trial.state != optuna().trial.TrialState.RUNNING or trial._trial_id in own:
                continue
            beat = trial.user_attrs.get(BEAT, 0)
            known, since = self.seen.get(trial._trial_id, (-1, now))
            if beat != known:
                self.seen[trial._trial_id] = beat, now
            elif now - since > self.stale:
                self.release([trial._trial_id], f"no sign of life for {self.stale:g} s")

    @property
    def are_done(self) -> bool:
        """Whether every slot has ended."""
        return all(trial is not None and trial.state.is_finished() and not is_free([trial]) for trial in self.latest())


def is_free(attempts: list[Any]) -> bool:
    """Whether a slot has no attempt, or the last one was given up."""
    return not attempts or (
        attempts[-1].state == optuna().trial.TrialState.FAIL and RELEASED in attempts[-1].user_attrs
    )


class Beats:
    """The thread that shows that this worker's trials are alive.

    Args:
        storage: of the study.
        every: seconds between two signs of life.
    """

    def __init__(self, storage: Any, every: float) -> None:
        self.storage = storage
        self.every = every
        self.running: set[int] = set()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.beat, name="cygrad-beats", daemon=True)

    def beat(self) -> None:
        """Count up, until the end."""
        number = 0
        while not self.ended.wait(self.every):
            number += 1
            for trial in list(self.running):
                with contextlib.suppress(Exception):  # it has ended meanwhile, or the storage is away for a moment
                    self.storage.set_trial_user_attr(trial, BEAT, number)

    def stop(self) -> None:
        """End the thread."""
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join(self.every + 5)  # not longer, where a storage hangs
