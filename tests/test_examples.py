"""The small examples run and print what they promise."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

if not EXAMPLES.exists():
    pytest.skip("the examples are not next to the tests", allow_module_level=True)


def load(name):
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name, *options):
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *options], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_policy_learns_and_eager_mode_gives_the_same_numbers():
    cartpole = load("cartpole")
    learners = []
    for compiled in True, False:
        learners.append(cartpole.Learner(seed=0, compiled=compiled))
        learners[-1].train(12)
    compiled, eager = ([p.array.tobytes() for p in learner.params] for learner in learners)
    assert compiled == eager
    returns = [learner.average_return() for learner in learners]
    assert returns[0] == returns[1] > 60, "an untrained policy reaches about 20"
    (program,) = learners[0].learn.programs()
    assert program.loop is not None, "the step runs without Python"


def test_the_cart_pole_prints_both_times():
    printed = run("cartpole", "--updates", "2")
    assert re.fullmatch(
        r"seed 0: average return (\d+\.\d) over 100 episodes after \d+\.\d\d s compiled; \1 after \d+\.\d\d s eager, "
        r"\d+\.\d times as long\n", printed,
    )  # fmt: skip


def test_the_pictures_of_the_page_are_those_of_the_example(tmp_path):
    printed = run("backpropagation", str(tmp_path))
    assert re.search(r"^w₂ +0\.5 +-1\.5$", printed, re.MULTILINE)
    docs = EXAMPLES.parent / "docs"
    for name in "one-path.svg", "two-layers.svg":
        drawn = (tmp_path / name).read_bytes()
        assert drawn == (docs / name).read_bytes(), f"run python examples/backpropagation.py docs to renew {name}"


def test_the_sweep_prints_a_line_for_each_job():
    printed = run("sweep", "--epochs", "3")
    accuracies = [float(word) for word in re.findall(r"accuracy (\d\.\d+) in 3 epochs", printed)]
    assert len(accuracies) == 8 and min(accuracies) > 0.5
    assert "the same results" in printed


@pytest.mark.parametrize("network", ["tcn", "gru"])
def test_the_forecast_beats_the_days_before(network, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    picture = tmp_path / "forecast.png"
    printed = run("forecast", "--weeks", "52", "--epochs", "2", "--network", network, "--picture", str(picture))
    rows = re.findall(r"^(season of 1 day|season of 7 days|linear model|TCN|GRU) +(\S+) +(\S+) ", printed, re.MULTILINE)
    errors = {name: (float(mae), float(rmse)) for name, mae, rmse in rows}
    forecast, linear, day, week = errors.values()
    assert next(iter(errors)) == network.upper() and forecast[0] < min(0.6 * day[0], 0.6 * week[0], 1.05 * linear[0])
    assert forecast[1] < min(0.6 * day[1], 0.6 * week[1], 1.05 * linear[1])
    assert re.search(r"the next hours:\n2026-01-05 00:00  \d+\.\d MW\n", printed) and picture.stat().st_size > 10_000


@pytest.mark.parametrize("options", [[], ["--network", "resnet8"], ["--network", "resnet8", "--no-augmentation"]])
def test_images_are_recognized(options):
    printed = run("images", "--epochs", "3", *options)
    assert float(re.findall(r"test accuracy (\d+\.\d+) %", printed)[-1]) > 90


@pytest.mark.parametrize("network", ["lstm", "transformer"])
def test_characters_are_learned_and_written(tmp_path, network):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat. " * 100, encoding="utf-8")
    printed = run("characters", str(text), "--network", network, "--steps", "200", "--write", "60")
    losses = [float(loss) for loss in re.findall(r"loss (\d+\.\d+)", printed)]
    assert len(losses) == 2 and losses[1] < min(0.6, losses[0])
    assert len(set(printed.splitlines()[-1].split()) & {"the", "cat", "sat", "on", "mat."}) > 2


def test_a_short_text_is_refused(tmp_path):
    (tmp_path / "text.txt").write_text("short")
    command = [sys.executable, EXAMPLES / "characters.py", tmp_path / "text.txt"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2 and "the text must have more than 65 characters" in done.stderr
