"""Searches: spaces, who runs which trial, kills and Ctrl-C, ``cygrad sweep``, and the page of a study."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import threading
import time
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import cygrad as cg
from cygrad import cli
from cygrad.charts.parallel_coordinates import Axis, parallel_coordinates
from cygrad.report.study import study_page
from cygrad.runs import search_console
from cygrad.runs.search import importance_of
from cygrad.runs.search_console import SearchConsole
from cygrad.train import Search
from cygrad.train.search import needed
from cygrad.train.search.slots import Slots, attempts_of
from cygrad.train.search.space import parse_space
from cygrad.train.search.storage import Apart
from cygrad.train.search.worker import Listener, Worker

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1])}
PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
DIGITS = """
source = "digits"
epochs = 3
hidden = [16]
out = "study"
checkpoint-seconds = 0.0

[search]
trials = 4
jobs = 2
{settings}
[search.space]
lr = {{min = 1e-3, max = 1e-1, log = true}}
batch-size = [64, 128]
{space}
"""

try:
    import optuna
except ImportError:
    optuna = None
optional = pytest.mark.skipif(optuna is None, reason="Optuna is not installed")


def square(trial):
    return (trial.params["x"] - 1) ** 2


X = {"x": {"min": 0.0, "max": 4.0}}


# Without Optuna


def test_without_optuna_one_message_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    needed.optuna.cache_clear()
    path = tmp_path / "c.toml"
    path.write_text(DIGITS.format(settings="", space=""))
    assert cli.main(["sweep", str(path)]) == 1
    assert capsys.readouterr().err == "cygrad: sweep: a search needs Optuna: pip install 'cygrad[sweep]'\n"
    needed.optuna.cache_clear()


def test_a_training_ignores_the_table_of_a_search(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(DIGITS.format(settings="", space=""))
    assert cg.runs.read_config(path)["hidden"] == (16,)


@pytest.mark.parametrize("settings, error", [
    ({"sampler": "best"}, "sampler must be one of tpe, random, grid, cmaes, gp, got 'best'"),
    ({"pruner": "axe"}, "pruner must be one of median, halving, hyperband, none, got 'axe'"),
    ({"direction": "up"}, "direction must be one of minimize, maximize, got 'up'"),
    ({"trials": 0}, "trials must be at least 1, got 0"),
    ({"trials": 1.5}, "trials must be an integer, got 1.5"),
    ({"jobs": True}, "jobs must be an integer, got True"),
    ({"seed": -1}, "seed must be at least 0, got -1"),
    ({"metric": None}, "metric must be a string, got None"),
    ({"stale": 0.5}, "stale must be at least 1 second and finite, got 0.5"),
    ({"stale": float("nan")}, "stale must be at least 1 second and finite, got nan"),
])  # fmt: skip
def test_settings_are_checked(settings, error):
    with pytest.raises((ValueError, TypeError), match=f"^sweep: {re.escape(error)}$"):
        Search(**settings)


def test_the_direction_follows_from_the_metric():
    assert not Search().maximizes and Search(metric="val_accuracy").maximizes
    assert not Search(metric="val_accuracy", direction="minimize").maximizes


# Slots


def attempt(number, **notes):
    return SimpleNamespace(number=number, user_attrs=notes)


def numbers(slots):
    return [[trial.number for trial in attempts] for attempts in slots]


def test_fresh_trials_fill_the_slots_in_the_order_of_their_numbers():
    assert numbers(attempts_of([attempt(2), attempt(0), attempt(1)], 2)) == [[0], [1]]


def test_a_later_attempt_says_its_slot_and_the_first_one_counts():
    again = [attempt(0), attempt(1), attempt(2, slot=0, attempt=1), attempt(3, slot=0, attempt=1)]
    more = [attempt(4, slot=0, attempt=2), attempt(5)]
    assert numbers(attempts_of(again + more, 3)) == [[0, 2, 4], [1], [5]]


# The search


@optional
@pytest.mark.parametrize("space, error", [
    ({}, "the search space must name at least one parameter"),
    ({"x": []}, "the choices of x must be numbers, strings or truth values"),
    ({"x": [[1]]}, "the choices of x must be numbers, strings or truth values"),
    ({"x": [1, 1]}, "the choices of x must differ"),
    ({"x": {"min": 1}}, "x must be a list of choices, or a range with min, max, log, step"),
    ({"x": {"min": 1, "max": 2, "base": 2}}, "x must be a list of choices, or a range with min, max, log, step"),
    ({"x": {"min": 2, "max": 1}}, "min of x must be at most max, got 2 and 1"),
    ({"x": {"min": 0, "max": 1, "log": True}}, "a range of x with log must be above 0 and have no step"),
    ({"x": {"min": 0, "max": 1, "log": 1}}, "log of x must be true or false, got 1"),
    ({"x": {"min": 0, "max": 1, "step": 0}}, "step of x must be above 0, got 0"),
    ({"x": {"min": 0, "max": float("inf")}}, "min, max and step of x must be finite numbers"),
    ({"x": {"min": False, "max": 1}}, "min, max and step of x must be finite numbers"),
])  # fmt: skip
def test_spaces_are_checked(space, error):
    with pytest.raises(ValueError, match=f"^sweep: {error}"):
        cg.train.sweep(square, space)


@optional
def test_a_search_finds_a_minimum_and_the_order_of_jobs_changes_nothing_before_it_learns():
    one = cg.train.sweep(square, X, Search(trials=20, jobs=1))
    two = cg.train.sweep(square, X, Search(trials=20, jobs=2))
    assert one.best_value < 0.05 and len(one.trials) == len(two.trials) == 20
    drawn = [{t.params["x"] for t in study.trials[:10]} for study in (one, two)]  # TPE learns from ten trials on
    assert len(drawn[0]) == 10 and drawn[0] == drawn[1]
    assert len({t.params["x"] for t in cg.train.sweep(square, X, Search(trials=3, seed=1)).trials} - drawn[0]) == 3


@optional
def test_a_grid_has_every_point_once():
    space = {"a": ["p", "q", None], "n": {"min": 1, "max": 3}, "x": {"min": 0.0, "max": 0.3, "step": 0.1}}
    study = cg.train.sweep(lambda trial: trial.params["x"], space, Search(sampler="grid", jobs=2))
    points = {(t.params["a"], t.params["n"], round(t.params["x"], 9)) for t in study.trials}
    assert points == {(a, n, x) for a in ("p", "q", None) for n in (1, 2, 3) for x in (0.0, 0.1, 0.2, 0.3)}
    assert len(study.trials) == 36
    for wrong in {"x": {"min": 0.0, "max": 1.0}}, {"x": {"min": 1, "max": 8, "log": True}}:
        with pytest.raises(ValueError, match="a grid needs choices or a step for x"):
            cg.train.sweep(square, wrong, Search(sampler="grid"))
    with pytest.raises(ValueError, match="the grid has 3 points, fewer than 4 trials"):
        cg.train.sweep(square, {"a": [1, 2, 3]}, Search(sampler="grid", trials=4))


@optional
def test_a_trial_fails_alone_unless_the_program_is_wrong():
    def objective(trial):
        if trial.number == 1:
            raise ValueError("sizes do not fit")
        return float("nan") if trial.number == 2 else square(trial)

    study = cg.train.sweep(objective, X, Search(trials=4, jobs=1))
    assert [t.state.name for t in study.trials] == ["COMPLETE", "FAIL", "PRUNED", "COMPLETE"]
    assert study.trials[1].user_attrs["error"] == "sizes do not fit"
    for jobs in 1, 2:
        with pytest.raises(ZeroDivisionError):
            cg.train.sweep(lambda trial: 1 / 0, X, Search(trials=4, jobs=jobs))
    with pytest.raises(TypeError, match="the objective must return a number, got None"):
        cg.train.sweep(lambda trial: None, X, Search(trials=1))


@optional
def test_bad_trials_end_early():
    epochs = []

    def objective(trial):
        trainer = SimpleNamespace(history=SimpleNamespace(records=[], interrupted=False), epoch=0, stopped=False)
        trainer.stop = lambda: setattr(trainer, "stopped", True)
        pruning = trial.pruning("loss")
        while trainer.epoch < 20 and not trainer.stopped:
            trainer.epoch += 1
            pruning.on_epoch_end(trainer, {"loss": trial.number / trainer.epoch})
        epochs.append(trainer.epoch)
        return trial.number / trainer.epoch

    study = cg.train.sweep(objective, X, Search(trials=8, jobs=1, warmup=3))
    assert epochs == [20, 20, 20, 20, 20, 3, 3, 3], "the median needs five trials"
    assert [t.state.name for t in study.trials[5:]] == ["PRUNED"] * 3
    with pytest.raises(ValueError, match="metric must be one of loss, got 'val_loss'"):
        trial = cg.train.Trial(None, 0, 0, {}, "val_loss")
        trial.pruning().on_epoch_end(None, {"loss": 1.0})


@optional
@pytest.mark.parametrize("file", ["study.db", "study.log"])
def test_ctrl_c_keeps_finished_trials_and_the_same_call_takes_up_the_others(tmp_path, file):
    search = Search(trials=6, jobs=2, storage=str(tmp_path / file))
    ran = []

    def objective(trial, interrupt=True):
        ran.append((trial.number, trial.attempt, trial.params["x"]))
        if interrupt and trial.number == 3:
            trial.interrupted = True  # as a Trainer says after Ctrl-C
        return square(trial)

    with pytest.raises(KeyboardInterrupt):
        cg.train.sweep(objective, X, search)
    ended = {number for number, _, _ in ran} - {3}
    before = len(ran)
    study = cg.train.sweep(lambda trial: objective(trial, False), X, search)
    assert {number for number, _, _ in ran[before:]} >= {3, *range(6)} - ended, "ended ones do not run again"
    (first,), (again,) = ([r for r in part if r[0] == 3] for part in (ran[:before], ran[before:]))
    assert first[1:] == (0, again[2]) and again[1] == 1, "the parameters stay"
    finished = [t for t in study.trials if t.state.name == "COMPLETE"]
    assert len(finished) == 6 and len(cg.train.sweep(square, X, search).trials) == len(study.trials)


@optional
def test_workers_agree_on_the_search(tmp_path):
    search = Search(trials=1, storage=str(tmp_path / "study.db"))
    cg.train.sweep(square, X, search)
    with pytest.raises(ValueError, match=r"the study sweep in .* was started with x = .*4.0.*, not .*5.0.*; choose"):
        cg.train.sweep(square, {"x": {"min": 0.0, "max": 5.0}}, search)
    with pytest.raises(ValueError, match=r"was started with metric = val_loss, not loss"):
        cg.train.sweep(square, X, Search(metric="loss", storage=search.storage))
    for place, error in ("study.txt", "must end in .db"), ("nothing://x", "can't be opened"):
        with pytest.raises((ValueError, OSError), match=f"sweep: .*{error}"):
            cg.train.sweep(square, X, Search(storage=place))
    other = Search(study="other", storage=search.storage)
    optuna.create_study(storage=f"sqlite:///{search.storage}", study_name="other").ask()
    with pytest.raises(ValueError, match=r"the study other in .* is not one of cygrad sweep"):
        cg.train.sweep(square, X, other)


WORKER = """
import os, sys, time
import cygrad as cg

def objective(trial):
    with open(sys.argv[1] + ".ran", "a") as file:
        file.write(f"{os.getpid()} {trial.number} {trial.attempt} {trial.params['x']}\\n")
    time.sleep(30 if trial.number == 3 and trial.attempt == 0 else 0.02)
    return trial.params["x"]

search = cg.train.Search(trials=12, jobs=1, stale=1.0, storage=sys.argv[1])
cg.train.sweep(objective, {"x": {"min": 0.0, "max": 1.0}}, search)
"""


@optional
def test_a_killed_worker_loses_nothing_and_no_trial_runs_twice(tmp_path):
    place = str(tmp_path / "study.db")
    call = [sys.executable, "-c", WORKER, place]
    workers = [subprocess.Popen(call, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        while not (stuck := re.search(r"^(\d+) 3 0 ", ran_in(place), re.MULTILINE)):
            assert any(worker.poll() is None for worker in workers), [worker.stderr.read() for worker in workers]
            time.sleep(0.05)
        (victim,) = (worker for worker in workers if worker.pid == int(stuck[1]))
        (other,) = (worker for worker in workers if worker is not victim)
        victim.kill()
        assert other.wait(60) == 0, other.stderr.read()
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            worker.stderr.close()
    ran = [line.split()[1:] for line in ran_in(place).splitlines()]
    assert sorted((int(number), int(tries)) for number, tries, _ in ran) == sorted([*((n, 0) for n in range(12)), (3, 1)])
    assert len({x for number, _, x in ran if number == "3"}) == 1
    trials = optuna.load_study(study_name="sweep", storage=f"sqlite:///{place}").trials
    assert [t.state.name for t in trials].count("COMPLETE") == 12 and len(trials) == 13


def ran_in(place):
    try:
        return Path(f"{place}.ran").read_text()
    except FileNotFoundError:
        return ""


@optional
def test_a_worker_that_comes_back_does_not_count_twice():
    """One that was given up, although it only stood still, ends a trial that has run again meanwhile."""
    ends, begun, told = threading.Event(), threading.Event(), []

    def objective(trial):
        if trial.number == 0 and trial.attempt == 0:
            begun.set()
            ends.wait(20)
        told.append(trial.number)
        return 1.0 if trial.attempt else 0.0

    slow = Worker(objective, parse_space(X), Search(trials=2, jobs=1), {}, Listener())
    thread = threading.Thread(target=slow.run)
    thread.start()
    assert begun.wait(20)
    other = Slots(slow.study, slow.storage, 2, slow.distributions, 1.0)
    other.release([slow.study.trials[0]._trial_id], "no sign of life")
    claim = other.claim()
    assert claim is not None and (claim.slot, claim.attempt) == (0, 1)
    slow.storage.set_trial_state_values(claim.id, optuna.trial.TrialState.COMPLETE, [1.0])
    ends.set()
    thread.join(20)
    latest = slow.slots.latest()
    assert [t.state.name for t in latest] == ["COMPLETE"] * 2 and latest[0].value == 1.0
    assert told == [0, 1] and slow.study.trials[0].state.name == "FAIL"


# The command


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A finished search on the digits, and what it printed."""
    if optuna is None:
        pytest.skip("Optuna is not installed")
    folder = tmp_path_factory.mktemp("swept")
    (folder / "c.toml").write_text(DIGITS.format(settings="", space=""))
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.chdir(folder)
        assert cli.main(["sweep", "c.toml"]) == 0
    return folder, printed.getvalue()


def test_a_sweep_prints_a_line_for_each_trial_and_what_to_type_next(swept):
    folder, printed = swept
    lines = printed.splitlines()
    assert max(map(len, lines[1:])) <= 80
    assert sorted(re.findall(r"^trial (\d)  val_loss \d\.\d{4}[* ] +lr \S+  batch_size \d+$", printed, re.MULTILINE)) == list("0123")
    best, saved, report, following = lines[-4:]
    assert re.fullmatch(r"best: val_loss \d\.\d{4} with lr \S+  batch_size \d+", best)
    run = re.fullmatch(r"saved in (study/trial-000\d)", saved)[1]
    assert (report, following) == ("report: study/report.html", f"next: cygrad predict {run} new.csv")
    assert {p.name for p in (folder / "study").iterdir()} == {"report.html", "study.db", *(f"trial-000{n}" for n in range(4))}
    losses = [float(value) for value in re.findall(r"^trial .*val_loss (\S+?)\*? ", printed, re.MULTILINE)]
    assert f"best: val_loss {min(losses):.4f}" in best and (folder / run / "report.html").exists()


def test_a_trial_is_a_run_with_the_bits_of_the_same_training(swept, tmp_path):
    folder, printed = swept
    run = folder / re.search(r"saved in (\S+)", printed)[1]
    options = {name: v for name, v in cg.runs.load(run).config.options.items() if v is not None}
    assert cg.runs.train(cg.runs.Options.from_values({"source": "digits", "out": str(tmp_path / "r"), **options}), True)
    ours, theirs = (np.load(path / "weights.npz") for path in (run, tmp_path / "r"))
    assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_the_same_command_goes_on_and_joins_with_more_trials(swept, monkeypatch, capsys):
    folder, _ = swept
    monkeypatch.chdir(folder)
    assert cli.main(["sweep", "c.toml"]) == 0
    assert "trial " not in capsys.readouterr().out
    assert cli.main(["sweep", "c.toml", "--trials", "5", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert not re.search("^trial ", out, re.MULTILINE) and out.startswith("best: ") and Path("study/trial-0004").is_dir()


@optional
def test_an_interrupt_before_the_study_is_open_says_so(swept, monkeypatch, capsys):
    monkeypatch.chdir(swept[0])

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("cygrad.train.search.worker.open_study", interrupted)
    assert cli.main(["sweep", "c.toml"]) == 130
    assert capsys.readouterr().err == "cygrad: interrupted\n"


@optional
def test_a_storage_is_not_left_in_a_transaction_and_answers_after_its_end():
    """Its calls run in another thread than the one that asks."""
    apart = Apart(optuna.storages.InMemoryStorage())
    created, answered = apart.storage.create_new_study, []
    seen = apart.passing(threading.get_ident)
    assert seen(None) == apart.thread.ident != threading.get_ident()
    with pytest.raises(KeyError, match="No such study"):
        apart.storage.get_study_id_from_name("none")
    apart.close()
    apart.thread.join(20)
    answered.append(created([optuna.study.StudyDirection.MINIMIZE], "late"))
    assert answered == [0] and seen(None) == threading.get_ident()


@optional
def test_an_interrupted_trial_continues_from_its_checkpoint(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("c.toml").write_text(DIGITS.format(settings="", space="").replace("trials = 4\njobs = 2", "trials = 1\njobs = 1"))
    epochs = []

    def interrupt(self, trial, number):
        epochs.append(number)
        if epochs == [1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(SearchConsole, "epoch", interrupt)
    assert cli.main(["sweep", "c.toml"]) == 130
    assert "continue with the same command" in capsys.readouterr().out
    assert cli.main(["sweep", "c.toml"]) == 0
    assert epochs == [1, 2, 2, 3], "the checkpoint has the first epoch"
    run = cg.runs.load("study/trial-0000")
    options = {name: v for name, v in run.config.options.items() if v is not None}
    cg.runs.train(cg.runs.Options.from_values({"source": "digits", "out": "r", **options}), True)
    ours, theirs = np.load("study/trial-0000/weights.npz"), np.load("r/weights.npz")
    assert all((ours[name] == theirs[name]).all() for name in theirs)


@optional
@pytest.mark.parametrize("settings, space, error", [
    ("", "depth = [1]", "can't search 'depth'; options to search are network, members"),
    ("", "seed = [1, 2]", "can't search 'seed'"),
    ("", "target = ['a']", "can't search 'target'"),
    ("", "dropout = [0.1, 1.5]", "dropout must lie in [0, 1), got 1.5"),
    ("", "epochs = {min = 1.5, max = 3}", "epochs must be an integer, got 1.5"),
    ("", "hidden = {min = 1, max = 3}", "hidden in c.toml must be a list of choices"),
    ("", "network = ['mlp', 'cnn']", "network must be one of"),
    ("trails = 3", "", "[search] in c.toml has an unknown setting 'trails'; did you mean trials?"),
    ("metric = 'loss'", "", "metric must be one of val_loss, val_accuracy, got 'loss'"),
    ("storage = 'x.csv'", "", "storage must end in .db (SQLite) or .log (a journal), or be a URL"),
    ("sampler = 'grid'", "", "a grid needs choices or a step for lr"),
])  # fmt: skip
def test_errors_name_the_option(tmp_path, monkeypatch, capsys, settings, space, error):
    monkeypatch.chdir(tmp_path)
    Path("c.toml").write_text(DIGITS.format(settings=settings, space=space))
    assert cli.main(["sweep", "c.toml"]) == 1
    printed = capsys.readouterr()
    assert error in printed.err and printed.err.count("\n") == 1
    assert not Path("study/trial-0000").exists()


@optional
def test_a_file_needs_a_search_and_a_space_and_threads_need_one_trial_at_a_time(tmp_path, capsys):
    path = tmp_path / "c.toml"
    texts = {
        'source = "digits"': "has no table [search]",
        'source = "digits"\n[search]': "has no table [search.space]",
        'source = "digits"\nthreads = 2\n[search]\njobs = 2\n[search.space]\nlr = [0.1]': "threads applies to one trial",
    }
    for text, error in texts.items():
        path.write_text(text)
        assert cli.main(["sweep", str(path)]) == 1
        assert error in capsys.readouterr().err


@optional
@pytest.mark.skipif(not PAGE.exists(), reason="the pages are not next to the tests")
def test_the_page_about_searches_does_what_it_says(tmp_path, monkeypatch, capsys):
    """The script and the file with fewer trials."""
    searches = re.search(r"^## Searches$.*?^## ", PAGE.read_text(), re.DOTALL | re.MULTILINE)[0]
    script, file = (re.search(rf"```{kind}\n(.*?)```", searches, re.DOTALL)[1] for kind in ("python", "toml"))
    exec(compile(script, PAGE, "exec"), {})
    assert 0 < float(capsys.readouterr().out.split()[0]) < 0.5
    monkeypatch.chdir(tmp_path)
    Path("digits.toml").write_text(file.replace("epochs = 40", "epochs = 1"))
    assert cli.main(["sweep", "digits.toml", "--trials", "1"]) == 0
    assert "next: cygrad predict runs/digits-sweep/trial-0000 new.csv" in capsys.readouterr().out


# What it shows


@optional
def test_the_bar_has_one_line_of_a_terminal(monkeypatch):
    written = []
    monkeypatch.setattr(search_console, "write", written.append)
    console = SearchConsole(Search(), 10, False)
    console.bar = True
    console.opened(None, 60)
    console.counted(20, None)
    console.running = {20: 5}
    console.redraw()
    console.counted(59, 0.12345678)
    console.redraw()
    first, second = (text.removeprefix("\r").removesuffix("\x1b[K") for text in written)
    assert re.fullmatch(r"20/60 trials █+░+ \d+:\d\d(:\d\d)? left", first)
    assert second.endswith("best val_loss 0.1235") and len(second) < 80


def findings(**changed):
    trials = [
        {"number": n, "state": "complete", "value": 1.0 / (n + 1), "epochs": 3, "params": {"lr": 10.0**-n, "norm": "a<b"}, "error": ""}
        for n in range(24)
    ]
    trials[23].update(state="failed", value=None, error="loss <nan>")
    axes = [Axis("lr", 1e-24, 1.0, log=True), Axis("norm", choices=["a<b", "layer"])]
    return {
        "name": "digits & co", "metric": "val_loss", "maximizes": False, "epochs": 4, "axes": axes, "trials": trials,
        "importance": {"lr": 0.75, "norm": 0.25}, "folder": "my runs/a", **changed,
    }  # fmt: skip


def test_the_page_of_a_study_needs_nothing_else():
    class Open(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "path", "circle", "rect"):
                self.tags.append(tag)

        def handle_endtag(self, tag):
            if tag not in ("path", "circle", "rect"):
                assert self.tags.pop() == tag

    page = study_page(findings())
    parser = Open()
    parser.tags = []
    parser.feed(page)
    assert not parser.tags and "http" not in page.replace("http://www.w3.org", "")
    assert "<nan>" not in page and "a<b" not in page and "digits &amp; co" in page
    assert "24 trials" in page and "23 complete, 1 failed" in page and "4 more trials" in page
    assert "cygrad predict &#x27;my runs/a&#x27; new.csv" in page and "75%" in page
    assert re.search(r"<b>22</b><span>trial</span>", page), "the least loss is the best"
    assert re.search(r"<b>0</b><span>trial</span>", study_page(findings(maximizes=True)))
    assert "No trial is complete yet" in study_page(findings(trials=[]))


def test_lines_of_parallel_coordinates_lie_on_the_axes():
    axes = [Axis("lr", 1e-4, 1e-2, log=True), Axis("norm", choices=["a", "b"]), Axis("loss", 0.0, 1.0)]
    drawn = parallel_coordinates(axes, [(1e-3, 0, 1.0), (1e-4, 1, 0.0)], "trials", strong=1)
    best, other = re.findall(r'cg-line cg-1"[^>]* d="(.*?)"', drawn) + re.findall(r'cg-line cg-grid" d="(.*?)"', drawn)
    assert (best, other) == ("M200.0 30.0L111.0 88.0L378.0 146.0", "M22.0 30.0L289.0 88.0L22.0 146.0")
    assert "cg-0" not in drawn and "cg-0" in parallel_coordinates(axes, [(1e-3, 0, 1.0)] * 3, "", strong=2)


@optional
def test_an_importance_is_that_of_the_parameter_that_matters():
    study = cg.train.sweep(lambda t: (t.params["x"] - 1) ** 2 + 1e-3 * t.params["y"], {**X, "y": {"min": 0.0, "max": 1.0}},
                           Search(trials=40, jobs=1, sampler="random"))  # fmt: skip
    found = importance_of(study)
    assert found["x"] > 0.7 and sum(found.values()) == pytest.approx(1)
