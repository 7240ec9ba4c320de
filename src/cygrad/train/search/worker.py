"""The trials of a study, run side by side in this process until the study has ended, together with other workers."""

from __future__ import annotations

import json
import math
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from cygrad._files import one_line
from cygrad.config import get_num_threads
from cygrad.parallel import parallel_map
from cygrad.train.evaluation import NonFiniteError
from cygrad.train.search.needed import optuna
from cygrad.train.search.settings import Search
from cygrad.train.search.slots import Beats, Claim, Slots
from cygrad.train.search.space import describe, grid_of, parse_space
from cygrad.train.search.storage import Apart, open_storage, quiet, shown
from cygrad.train.search.trial import Trial

__all__ = ["Listener", "sweep"]

TRIALS = 50
POLL = 1.0  # seconds between two looks at a study whose last trials run elsewhere
SEEDS = 1_000_003  # between the seeds of two searches
ABOUT = "cygrad"  # attribute of a study: what all of its workers must agree on

Objective = Callable[[Trial], float]


class Listener:
    """What may watch a sweep; these methods do nothing. Trials call them from their threads."""

    def opened(self, storage: Any, count: int) -> None:
        """Called with the storage of the study and the number of its trials before the first one."""

    def counted(self, done: int, best: float | None) -> None:
        """Called with the trials that have ended in all workers, and the best value."""

    def begun(self, trial: Trial) -> None:
        """Called when this worker begins a trial."""

    def ended(self, trial: Trial, result: Any) -> None:
        """Called with Optuna's frozen trial when this worker has ended one."""


def sweep(
    objective: Objective,
    space: Mapping[str, Any],
    search: Search | None = None,
    *,
    about: Mapping[str, Any] | None = None,
    listener: Listener | None = None,
) -> Any:
    """Search for the parameters with the best value: run trials until the study has as many as wanted.

    Every process that calls this with the same storage works on the same study. Trials that another process has left
    unfinished are run again with the same parameters; no trial is run twice otherwise. A ValueError in a trial, such as
    that of a combination that does not work, fails the trial; a loss that is not finite ends it as pruned.

    Args:
        objective: called with a ``Trial``, whose ``params`` it trains with; returns the value to optimize. It passes
            ``trial.pruning()`` to the ``Trainer`` as a callback, so that bad trials end early.
        space: what to search. By name a list of choices, or a range ``{"min": …, "max": …, "log": True}``.
        search: how to search.
        about: what all workers must agree on beside the space, as JSON can hold it.
        listener: told about the trials of this process.

    Returns:
        The ``optuna.study.Study``; ``best_params``, ``best_value`` and ``trials`` have the results.

    Raises:
        ImportError: without Optuna.
        KeyboardInterrupt: after Ctrl-C. Finished trials are kept; those that ran are taken up again by the next call.
        OSError: if the storage can't be opened.
        ValueError: if the space is not valid, or the study was started with another one.

    Example:
        >>> def objective(trial):
        ...     return (trial.params["x"] - 1) ** 2
        >>> study = cg.train.sweep(objective, {"x": {"min": 0.0, "max": 4.0}}, cg.train.Search(trials=20))
        >>> len(study.trials), study.best_value < 1
        (20, True)
    """
    return Worker(objective, parse_space(space), search or Search(), about or {}, listener or Listener()).run()


class Worker:
    """One process that works on a study."""

    def __init__(
        self,
        objective: Objective,
        distributions: dict[str, Any],
        search: Search,
        about: Mapping[str, Any],
        listener: Listener,
    ) -> None:
        self.objective = objective
        self.search = search
        self.distributions = distributions
        self.listener = listener
        self.grid = grid_of(distributions) if search.sampler == "grid" else []
        count = search.trials or len(self.grid) or TRIALS
        if self.grid and count > len(self.grid):
            raise ValueError(f"sweep: the grid has {len(self.grid)} points, fewer than {count} trials")
        self.pruner = pruner_of(search)
        self.samplers = samplers_of(search, count)
        self.opened = open_storage(search.storage)
        open_study(self.opened, search, {**about, **describe(distributions)})
        self.apart = Apart(self.opened)
        self.storage = self.apart.storage
        self.study = optuna().load_study(study_name=search.study, storage=self.storage)
        self.slots = Slots(self.study, self.storage, count, distributions, search.stale)
        self.beats = Beats(self.storage, search.stale / 4)
        self.lock = threading.Lock()  # one job at a time looks for a slot

    def run(self) -> Any:
        """Run trials until all have ended."""
        jobs = self.search.jobs or get_num_threads()
        self.listener.opened(self.opened, self.slots.count)
        self.count()
        self.beats.thread.start()
        try:
            if jobs == 1:
                self.work()
            else:
                self.work_in_jobs(min(jobs, self.slots.count))
        finally:
            self.beats.stop()
            self.slots.release(self.beats.running, "interrupted")
            self.apart.close()
        return optuna().load_study(study_name=self.search.study, storage=self.opened)

    def work_in_jobs(self, jobs: int) -> None:
        """Run trials in jobs of one core each."""
        try:
            parallel_map(lambda job: self.work(), range(jobs), threads=jobs)
        except RuntimeError as error:
            raise error.__cause__ or error from None

    def work(self) -> None:
        """Run one trial after the other."""
        while (claim := self.next()) is not None:
            self.attempt(claim)

    def next(self) -> Claim | None:
        """The next trial. Waits for those of other workers, which may be given up; None if all have ended."""
        while True:
            with self.lock:
                self.slots.release_stale(self.beats.running)
                claim = self.slots.claim()
                if claim is not None:
                    self.beats.running.add(claim.id)
                    return claim
                if self.slots.are_done or not self.others_run():
                    return None
            self.count()
            time.sleep(min(POLL, self.search.stale / 4))

    def count(self) -> None:
        """Tell the listener how far the study is."""
        states = optuna().trial.TrialState
        ended = [trial for trial in self.slots.latest() if trial is not None and trial.state.is_finished()]
        values = [trial.value for trial in ended if trial.state == states.COMPLETE]
        self.listener.counted(len(ended), (max if self.search.maximizes else min)(values, default=None))

    def others_run(self) -> bool:
        """Whether a trial that has not ended is another worker's."""
        return any(
            trial is not None and not trial.state.is_finished() and trial._trial_id not in self.beats.running
            for trial in self.slots.latest()
        )

    def attempt(self, claim: Claim) -> None:
        """Run a trial, and tell the study how it ended."""
        states = optuna().trial.TrialState
        trial = self.trial_of(claim)
        self.listener.begun(trial)
        value: float | None = None
        state = states.FAIL
        failure: Exception | None = None
        try:
            value = number_of(self.objective(trial))
            state = states.PRUNED if trial.pruned else states.COMPLETE
        except NonFiniteError as error:
            state, failure = states.PRUNED, error
        except Exception as error:
            failure = error
        if trial.interrupted:
            raise KeyboardInterrupt
        if failure is not None:
            trial.note("error", one_line(failure))
        self.tell(trial, state, value if state == states.COMPLETE else None)
        self.beats.running.discard(claim.id)
        self.count()
        self.listener.ended(trial, self.storage.get_trial(claim.id))
        if failure is not None and not isinstance(failure, ValueError):
            raise failure

    def trial_of(self, claim: Claim) -> Trial:
        """The trial of a claim, with its parameters: those of an earlier attempt, of the grid, or sampled."""
        given = claim.params or (self.grid[claim.slot] if self.grid else {})
        if given and not claim.params:
            for name, one in self.distributions.items():
                self.storage.set_trial_param(claim.id, name, one.to_internal_repr(given[name]), one)
        study = optuna().load_study(
            study_name=self.search.study,
            storage=self.storage,
            sampler=self.samplers[claim.slot],
            pruner=self.pruner,
        )
        trial = optuna().trial.Trial(study, claim.id)
        params = {name: suggested(trial, name, one) for name, one in self.distributions.items()}
        return Trial(trial, claim.slot, claim.attempt, params, self.search.metric)

    def tell(self, trial: Trial, state: Any, value: float | None) -> None:
        """Tell the study how a trial ended, unless others have given it up meanwhile."""
        try:
            trial.trial.study.tell(trial.trial, value, state=state)
        except (optuna().exceptions.OptunaError, RuntimeError, ValueError):
            if not self.storage.get_trial(trial.trial._trial_id).state.is_finished():
                raise


def number_of(value: Any) -> float:
    """What an objective returned, as a number; raises NonFiniteError if it is not finite."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"sweep: the objective must return a number, got {value!r}") from None
    if not math.isfinite(number):
        raise NonFiniteError(f"sweep: the objective returned {number}")
    return number


def suggested(trial: Any, name: str, one: Any) -> Any:
    """The value of a parameter in a trial of Optuna."""
    kinds = optuna().distributions
    if isinstance(one, kinds.CategoricalDistribution):
        return trial.suggest_categorical(name, one.choices)
    suggest = trial.suggest_int if isinstance(one, kinds.IntDistribution) else trial.suggest_float
    return suggest(name, one.low, one.high, step=one.step, log=one.log)


def open_study(storage: Any, search: Search, about: Mapping[str, Any]) -> None:
    """Create a study, if it is not there; raise ValueError if it was started with something else."""
    direction = "maximize" if search.maximizes else "minimize"
    about = json.loads(json.dumps({**about, "metric": search.metric, "direction": direction}))  # as it is read again
    with quiet():
        study = optuna().create_study(
            storage=storage, study_name=search.study, direction=direction, load_if_exists=True
        )
    trials, known = study.trials, study.user_attrs.get(ABOUT)  # in this order, in which another worker makes them
    where = f"the study {search.study} in {shown(search.storage)}"
    if known is None and trials:
        raise ValueError(f"sweep: {where} is not one of cygrad sweep")
    if known is None:
        study.set_user_attr(ABOUT, known := about)
    for name in sorted({*known, *about}):
        if known.get(name) != about.get(name):
            raise ValueError(
                f"sweep: {where} was started with {name} = {known.get(name)}, not {about.get(name)}; choose another "
                "study, or another storage"
            )


def samplers_of(search: Search, count: int) -> list[Any]:
    """A sampler for each slot, so that what a trial draws depends on its number, not on who runs it."""
    samplers = optuna().samplers
    seeds = [(search.seed * SEEDS + slot) % 2**32 for slot in range(count)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some are experimental
            if search.sampler == "tpe":
                return [samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True) for seed in seeds]
            if search.sampler == "cmaes":
                return [samplers.CmaEsSampler(seed=seed) for seed in seeds]
            if search.sampler == "gp":
                return [samplers.GPSampler(seed=seed) for seed in seeds]
            return [samplers.RandomSampler(seed=seed) for seed in seeds]
    except ImportError as error:
        raise ImportError(f"sweep: the sampler {search.sampler} needs another package ({one_line(error)})") from None


def pruner_of(search: Search) -> Any:
    """The pruner of a search."""
    pruners, least = optuna().pruners, max(1, search.warmup)
    return {
        "median": lambda: pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=search.warmup),
        "halving": lambda: pruners.SuccessiveHalvingPruner(min_resource=least),
        "hyperband": lambda: pruners.HyperbandPruner(min_resource=least),
        "none": lambda: pruners.NopPruner(),
    }[search.pruner]()
