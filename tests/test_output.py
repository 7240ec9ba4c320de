"""Output that fails, because a pipe is closed or a disk full, ends no training."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import cygrad as cg
from cygrad import train
from cygrad.train.callbacks import CallbackError
from cygrad.train.output import say

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1])}
COMMAND = [sys.executable, "-m", "cygrad"]
posix = pytest.mark.skipif(os.name == "nt", reason="pipes are closed as on POSIX")


class Broken(io.TextIOBase):
    """An output that raises an error for everything written to it."""

    encoding = "utf-8"

    def __init__(self, error):
        self.error = error

    def write(self, text):
        raise self.error

    def flush(self):
        raise self.error

    def isatty(self):
        return True


ERRORS = {
    "closed pipe": BrokenPipeError(32, "Broken pipe"),
    "full disk": OSError(28, "No space left on device"),
    "gone terminal": OSError(5, "Input/output error"),
    "closed file": ValueError("I/O operation on closed file."),
}


class Prints(train.Callback):
    """A user's callback that prints."""

    def on_epoch_end(self, trainer, metrics):
        print("epoch", trainer.epoch, flush=True)

    def on_batch_end(self, trainer, metrics):
        print("a warning", file=sys.stderr, flush=True)


def fit(callbacks=(), **options):
    model = cg.nn.Linear(2, 1)
    sgd = cg.optim.SGD(model.parameters(), lr=0.1)
    trainer = train.Trainer(model, cg.nn.functional.mse_loss, sgd, callbacks=callbacks, **options)
    return trainer.fit([(cg.ones(4, 2), cg.ones(4, 1))] * 2, epochs=3)


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("callbacks", [[], [Prints()]], ids=["progress", "callback"])
def test_a_training_goes_on_without_its_output(monkeypatch, name, callbacks):
    monkeypatch.setattr(sys, "stdout", Broken(ERRORS[name]))
    monkeypatch.setattr(sys, "stderr", Broken(ERRORS[name]))
    assert len(fit(callbacks)) == 3


def test_a_program_without_a_console_trains(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert len(fit()) == 3


def test_other_errors_of_a_callback_still_end_the_training(monkeypatch):
    class Fails(train.Callback):
        def on_epoch_end(self, trainer, metrics):
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(CallbackError, match=r"Fails.on_epoch_end raised BrokenPipeError"):
        fit([Fails()], progress=False)
    monkeypatch.setattr(sys, "stdout", Broken(ERRORS["closed pipe"]))

    class Divides(train.Callback):
        def on_epoch_end(self, trainer, metrics):
            raise ZeroDivisionError

    with pytest.raises(CallbackError, match=r"Divides.on_epoch_end raised ZeroDivisionError"):
        fit([Divides()])


def test_characters_that_the_output_lacks_are_replaced(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii", write_through=True))
    say("the column größe")
    assert raw.getvalue() == b"the column gr??e\n"


@posix
def test_estimators_go_on_without_their_output(monkeypatch):
    sklearn = pytest.importorskip("cygrad.sklearn")
    import numpy as np

    pytest.importorskip("sklearn")
    monkeypatch.setattr(sys, "stdout", Broken(ERRORS["closed pipe"]))
    x = np.random.default_rng(0).standard_normal((40, 3))
    with pytest.warns(UserWarning, match="training reached max_iter"):
        sklearn.MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, verbose=True, tol=0).fit(x, x[:, 0])


@posix
@pytest.mark.parametrize("output", ["closed pipe", "full disk", "closed"])
def test_a_command_trains_to_its_end_without_its_output(tmp_path, output):
    """``cygrad train digits | head -1`` and others; the run is complete, and nothing is printed about it."""
    out = tmp_path / "run"
    arguments = ["train", "digits", "--epochs", "2", "--hidden", "8", "--out", str(out)]
    if output == "closed pipe":
        with subprocess.Popen([*COMMAND, *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
            process.stdout.readline()
            process.stdout.close()
            errors = process.stderr.read()
        code = process.returncode
    else:
        target = ">/dev/full" if output == "full disk" else ">&-"
        if output == "full disk" and not os.path.exists("/dev/full"):
            pytest.skip("there is no such device")
        done = subprocess.run(["sh", "-c", f'"$@" {target}', "sh", *COMMAND, *arguments], env=ENVIRONMENT, capture_output=True, text=True)  # fmt: skip
        code, errors = done.returncode, done.stderr
    assert (code, errors) == (0, "")
    assert sorted(os.listdir(out)) == ["config.json", "metrics.csv", "report.html", "report.json", "weights.npz"]


@posix
@pytest.mark.parametrize("arguments", [["info"], ["runs", "."], ["--help"], ["train", "--help"]])
def test_commands_that_only_print_end_quietly(tmp_path, arguments):
    """Into a pipe that is closed before they print."""
    code = textwrap.dedent("""
        import os, subprocess, sys
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(sys.argv[1:], stdout=writer, stderr=subprocess.PIPE)
        sys.stderr.buffer.write(done.stderr)
        sys.exit(done.returncode)
    """)
    done = subprocess.run(
        [sys.executable, "-c", code, *COMMAND, *arguments], env=ENVIRONMENT, cwd=tmp_path, capture_output=True
    )
    assert done.stderr == b"" and done.returncode == (0 if "--help" in arguments else 1)
