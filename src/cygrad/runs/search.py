"""``cygrad sweep``: a search over the options of a training, with a run folder for each trial."""

from __future__ import annotations

import difflib
import os
import socket
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from cygrad._files import atomic_write
from cygrad._folders import FolderInUseError, locked
from cygrad.charts.parallel_coordinates import Axis
from cygrad.report.study import StudyFindings, TrialFindings, study_page
from cygrad.runs.config_file import read_search
from cygrad.runs.folder import JOB, prepare_folder
from cygrad.runs.job import read_job, write_job
from cygrad.runs.options import OPTIONS, Options, converted
from cygrad.runs.reporting import REPORT
from cygrad.runs.search_console import SearchConsole, Watched
from cygrad.runs.session import Session, arrays_of, load_task
from cygrad.train.fingerprint import fingerprint
from cygrad.train.interrupts import uninterrupted
from cygrad.train.search import Search, Trial
from cygrad.train.search.needed import optuna
from cygrad.train.search.settings import SETTINGS
from cygrad.train.search.slots import attempts_of
from cygrad.train.search.space import parse_space
from cygrad.train.search.storage import absolute, shown
from cygrad.train.search.worker import sweep as run_trials

__all__ = ["sweep"]

SPACE, STUDY = "space", "study.db"
FIXED = ("seed", "threads", "checkpoint_seconds")  # options of a training that are no subject of a search
OTHERS = ("source", "data", "out")


def sweep(path: str, given: Mapping[str, Any] | None = None, quiet: bool = False) -> bool:
    """Search over the options of a training, as a TOML file says.

    Args:
        path: of the file: the options of a training, a table ``search`` with fields of ``cygrad.train.Search``, and in
            it a table ``space`` with the choices or the range of each option to search.
        given: fields of ``cygrad.train.Search`` that replace those in the file.
        quiet: whether to print nothing but results.

    Returns:
        False if Ctrl-C ended the search; the same call continues it.

    Raises:
        ImportError: without Optuna.
        OSError: if the file or the storage can't be opened.
        ValueError: if an option or a setting is wrong, or no trial is complete.
    """
    optuna()
    values, content = read_search(path)
    return FileSearch(path, values, {**content, **(given or {})}, quiet).run()


class FileSearch:
    """A search that a file describes."""

    def __init__(self, path: str, values: Mapping[str, Any], content: Mapping[str, Any], quiet: bool) -> None:
        self.values = dict(values)
        self.space = space_of(path, content, self.values)
        base = Options.from_values(self.values)
        self.name = base.name
        self.folder = base.out or os.path.join("runs", f"{base.name}-sweep")
        self.search = search_of(path, content, self.folder)
        self.axes = [axis_of(name, one) for name, one in parse_space(self.space).items()]
        if base.threads is not None and self.search.jobs != 1:
            raise ValueError("sweep: threads applies to one trial at a time, jobs = 1; otherwise each has one core")
        self.task = load_task(base)
        known = [f"val_{name}" for name in ("loss", *self.task.metrics)]
        if self.search.metric not in known:
            raise ValueError(f"sweep: metric must be one of {', '.join(known)}, got {self.search.metric!r}")
        self.epochs = base.with_defaults(self.task.defaults).epochs
        self.console = SearchConsole(self.search, self.epochs, quiet)

    def run(self) -> bool:
        """Search until the study has ended and return True, or until Ctrl-C and return False."""
        given = {name: value for name, value in self.values.items() if name not in OTHERS}
        about = {**given, "source": self.name, "data": fingerprint(arrays_of(self.task))}
        os.makedirs(self.folder, exist_ok=True)
        self.console.tell(f"{self.name}: searching {', '.join(self.space)} by {self.search.metric}; {self.place}")
        try:
            run_trials(self.objective, self.space, self.search, about=about, listener=self.console)
        except KeyboardInterrupt:
            if self.console.storage is None:  # the study was not open yet
                raise
            finished = False
        else:
            finished = True
        with uninterrupted():
            self.conclude(finished)
        return finished

    @property
    def place(self) -> str:
        """Where the trials are kept."""
        return f"trials in {self.folder}, study in {shown(self.search.storage)}"

    # A trial

    def objective(self, trial: Trial) -> float:
        """Train the network of a trial in a run folder of its own."""
        with ExitStack() as stack:
            folder = self.enter(trial, stack)
            options = Options.from_values({**self.values, **trial.params, "out": folder})
            session = Session(options, Watched(trial, self.console), None if "network" in self.space else self.task)
            if not is_continued(session):
                session.clear()
                write_job(session.options, session.fingerprint)
            try:
                history = session.learn()
            except ValueError:
                session.clear()
                raise
            best = session.stopping.best_epoch
            if history.interrupted or best is None:
                raise KeyboardInterrupt
            value = history.records[best - 1][self.search.metric]
            if not trial.pruned and self.leads(trial, value):
                session.measure()
            session.clear()
        for name, note in ("epochs", len(history)), ("folder", os.path.abspath(folder)), ("host", socket.gethostname()):
            trial.note(name, note)
        return value

    def enter(self, trial: Trial, stack: ExitStack) -> str:
        """Lock the folder of a trial; if a worker that was given up is still in it, another one."""
        folder = os.path.join(self.folder, f"trial-{trial.number:04}")
        for name in folder, f"{folder}-{trial.attempt}":
            prepare_folder(name)
            try:
                stack.enter_context(locked("sweep", name))
            except FolderInUseError:
                if trial.attempt == 0 or name != folder:
                    raise
            else:
                return name
        raise AssertionError("unreachable")

    def leads(self, trial: Trial, value: float) -> bool:
        """Whether a value is better than those of all complete trials."""
        try:
            best = trial.trial.study.best_value
        except ValueError:  # there is none
            return True
        return bool(value > best if self.search.maximizes else value < best)

    # The end

    def conclude(self, finished: bool) -> None:
        """Write the report and print the best trial; raise ValueError if there is none after all trials."""
        study = optuna().load_study(study_name=self.search.study, storage=self.console.storage)
        trials = [tries[-1] for tries in attempts_of(study.get_trials(), self.console.count) if tries]
        complete = [trial for trial in trials if trial.state == optuna().trial.TrialState.COMPLETE]
        if not complete and finished:
            errors = [trial.user_attrs["error"] for trial in trials if "error" in trial.user_attrs]
            raise ValueError(f"sweep: no trial is complete; the last error is: {errors[-1] if errors else 'none'}")
        best = (max if self.search.maximizes else min)(complete, key=lambda trial: trial.value, default=None)
        folder = "" if best is None else run_of(best)
        path = os.path.join(self.folder, REPORT)
        with atomic_write("sweep", path) as file:
            importance = importance_of(study) if finished else {}  # what it needs takes a second to import
            file.write(study_page(self.findings(trials, importance, folder)).encode())
        self.console.conclude(best, folder, path, finished)

    def findings(self, trials: list[Any], importance: dict[str, float], folder: str) -> StudyFindings:
        """What the report tells."""
        return {
            "name": f"{self.name}: search",
            "metric": self.search.metric,
            "maximizes": self.search.maximizes,
            "epochs": self.epochs,
            "axes": self.axes,
            "trials": [trial_findings(number, trial) for number, trial in enumerate(trials)],
            "importance": importance,
            "folder": folder if os.path.isdir(folder) else "",
        }


def is_continued(session: Session) -> bool:
    """Whether the folder has the checkpoint of the same training, which an earlier attempt has left."""
    if not os.path.isfile(os.path.join(session.options.folder, JOB)):
        return False
    try:
        job = read_job(session.options.folder)
    except (ValueError, OSError):
        return False
    same = job.options.values("training") == session.options.values("training")
    return same and job.fingerprint == session.fingerprint


def run_of(trial: Any) -> str:
    """The run folder of a trial, relative to the current one if it is on this machine."""
    folder = str(trial.user_attrs.get("folder", ""))
    return os.path.relpath(folder) if os.path.isdir(folder) else folder


def trial_findings(number: int, trial: Any) -> TrialFindings:
    """What the report tells of a trial."""
    state = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}.get(trial.state.name, "running")
    steps = trial.intermediate_values
    return {
        "number": number,
        "state": state,
        "value": trial.value if trial.value is not None else steps[max(steps)] if steps else None,
        "epochs": max(steps, default=0),
        "params": trial.params,
        "error": str(trial.user_attrs.get("error", "")),
    }


def importance_of(study: Any) -> dict[str, float]:
    """The importance of each parameter by PED-ANOVA, nothing if there are too few trials.

    Source: S. Watanabe, A. Bansal, F. Hutter (2023), PED-ANOVA.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is experimental
        try:
            evaluator = optuna().importance.PedAnovaImportanceEvaluator()
            found = optuna().importance.get_param_importances(study, evaluator=evaluator)
        except (ValueError, RuntimeError, ArithmeticError, IndexError):
            return {}
    return {name: float(share) for name, share in found.items() if share == share}


# The file


def search_of(path: str, content: Mapping[str, Any], folder: str) -> Search:
    """The settings in the table ``search``."""
    for name in content:
        if name not in SETTINGS and name != SPACE:
            similar = difflib.get_close_matches(name, [*SETTINGS, SPACE], 1)
            hint = f"; did you mean {similar[0]}?" if similar else ""
            raise ValueError(f"sweep: [search] in {path} has an unknown setting {name!r}{hint}")
    chosen = {name: value for name, value in content.items() if name != SPACE}
    place = absolute(chosen.get("storage"), os.path.dirname(path)) if isinstance(chosen.get("storage"), str) else None
    return Search(**{**chosen, "storage": place or os.path.join(folder, STUDY)})


def space_of(path: str, content: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The search space in a file, its values as the options have them; checks the ends of ranges and all choices."""
    space = content.get(SPACE)
    if not isinstance(space, dict) or not space:
        raise ValueError(f"sweep: {path} has no table [search.space] with options to search")
    checked: dict[str, Any] = {}
    for key, wanted in space.items():
        name = key.replace("-", "_")
        option = OPTIONS.get(name)
        if option is None or option.metadata["group"] != "training" or name in FIXED:
            known = [n for n, o in OPTIONS.items() if o.metadata["group"] == "training" and n not in FIXED]
            raise ValueError(f"sweep: {path} can't search {key!r}; options to search are {', '.join(known)}")
        if isinstance(wanted, list):
            chosen = [converted(name, choice) for choice in wanted]
            checked[name] = [",".join(map(str, one)) if isinstance(one, tuple) else one for one in chosen]
            tried = checked[name]
        elif isinstance(wanted, dict) and option.metadata["parse"] in (int, float):
            ends = {end: converted(name, wanted[end]) for end in ("min", "max", "step") if end in wanted}
            checked[name] = {**wanted, **ends}
            tried = [ends[end] for end in ("min", "max") if end in ends]
        else:
            raise ValueError(f"sweep: {key} in {path} must be a list of choices, got {wanted!r}")
        for value in tried:
            Options.from_values({**values, name: value})
    return checked


def axis_of(name: str, one: Any) -> Axis:
    """The axis of a parameter in the report."""
    choices = getattr(one, "choices", None)
    if choices is not None:
        return Axis(name, choices=[str(choice) for choice in choices])
    return Axis(name, one.low, one.high, one.log)
