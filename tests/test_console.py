"""What the command line shows: on a terminal of 80 columns, in a pipe, and when it is quiet."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import cygrad as cg
from cygrad import cli
from cygrad.runs import Options
from cygrad.runs.console import bar_line, clock
from cygrad.runs.options import OPTIONS
from cygrad.runs.table_task import ensemble_defaults

pty = pytest.importorskip("pty", reason="terminals are POSIX's")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1])}


def on_terminal(arguments, cwd, columns=80):
    """Run a command on a terminal; return its exit code and all that it wrote."""
    import fcntl
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {k: v for k, v in ENVIRONMENT.items() if k not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "cygrad", *map(str, arguments)], cwd=cwd, env={**environment, "PYTHONUTF8": "1"},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        written += part
    os.close(ours)
    return process.wait(60), written.decode()


def screen(written):
    """The lines that stay, and all states of the line that is drawn anew."""
    lines, states = [], []
    for line in written.replace("\r\n", "\n").split("\n"):
        parts = [part.replace("\x1b[K", "") for part in line.split("\r")]
        states += [part for part in parts if part.startswith("epoch")]
        lines.append(parts[-1])
    return lines, states


def write_wide(folder, columns=12, rows=150):
    draw = random.Random(0)
    names = [f"{'a column with quite a long name ' * 4}{i}" for i in range(columns)]
    lines = [",".join([*names, "constant", "y"])]
    for i in range(rows):
        x = [draw.gauss(0, 1) for _ in names]
        cells = [f"{1e9 if i % 30 == j else v:.3f}" for j, v in enumerate(x)]
        lines.append(",".join([*cells, "1", f"{x[0] + x[1]:.3f}"]))
    (folder / "wide.csv").write_text("\n".join(lines))


@pytest.mark.parametrize("columns", [80, 60])
def test_a_terminal_shows_few_lines_of_its_width(tmp_path, columns):
    write_wide(tmp_path)
    code, written = on_terminal(["train", "wide.csv", "--target", "y", "--epochs", "6"], tmp_path, columns)
    lines, states = screen(written)
    assert code == 0 and max(map(len, states)) < columns
    assert max(map(len, lines)) <= 80 and len(lines) <= 22, written
    notes = lines[: next(i for i, line in enumerate(lines) if line.startswith("test set"))]
    assert max(map(len, notes)) <= columns and any("more notes, in the report" in line for line in notes)
    assert not any(line.startswith("epoch") for line in lines)  # the bar is gone
    assert re.search(r"█+░* \d+:\d\d left  val_loss \d", "\n".join(states))
    assert lines[-2] == "next: cygrad predict runs/wide new.csv"


def test_lines_of_epochs_in_a_pipe_have_eighty_characters(tmp_path, capsys):
    write_wide(tmp_path)
    text = (tmp_path / "wide.csv").read_text().splitlines()
    labelled = [text[0], *(f"{line.rpartition(',')[0]},{'yes' if '-' in line[-6:] else 'no'}" for line in text[1:])]
    (tmp_path / "wide.csv").write_text("\n".join(labelled))
    arguments = ["train", str(tmp_path / "wide.csv"), "--target", "y", "--epochs", "3", "--class-weight", "balanced"]
    assert cli.main([*arguments, "--out", str(tmp_path / "run")]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(lines) == 3 and max(map(len, lines)) <= 80 and all("val_balanced_accuracy" in line for line in lines)


def test_quiet_prints_results_only(tmp_path, capsys):
    write_wide(tmp_path)
    arguments = ["train", str(tmp_path / "wide.csv"), "--target", "y", "--epochs", "2", "--out", str(tmp_path / "run")]
    assert cli.main([*arguments, "--quiet"]) == 0
    output = capsys.readouterr()
    starts = [line.split()[0] for line in output.out.splitlines()]
    assert starts == ["test", "ensemble", "linear", "mean", "saved", "report:"] and output.err == ""


def test_the_rate_of_an_ensemble_is_that_of_its_option(tmp_path, capsys):
    """Not that of the scaling layer."""
    write_wide(tmp_path)
    arguments = ["train", str(tmp_path / "wide.csv"), "--target", "y", "--epochs", "40", "--lr", "0.1", "--quiet"]
    assert cli.main([*arguments, "--out", str(tmp_path / "run")]) == 0
    head, *rows = [line.split(",") for line in (tmp_path / "run" / "metrics.csv").read_text().splitlines()]
    rates = [float(row[head.index("lr")]) for row in rows]
    assert 0.09 < max(rates) <= 0.1


def test_the_help_names_the_defaults_of_ensembles():
    """Each option whose default an ensemble replaces says so, with the values; those of ensembles alone say it themselves."""
    general = Options("digits")
    for name in ensemble_defaults(500, True).keys() - {"network", "members", "linear"}:
        shown = OPTIONS[name].metadata["ensemble"]
        for rows in 500, 5000:
            for classes in True, False:
                value = ensemble_defaults(rows, classes)[name]
                text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
                assert value is None or text in shown, name
                if value is not None:
                    replace(general, **{name: value})


@pytest.mark.parametrize("width", [40, 50, 80, 200])
def test_a_bar_fits(width):
    for done in 0.0, 0.5, 1.0:
        line = bar_line("epoch 100/1000", done, "val_loss 0.1234  val_balanced_accuracy 0.5", "10:00:00 left", width)
        assert len(line) < width and ("val_balanced" in line) == (width >= 100)


def test_clocks():
    assert [clock(s) for s in (0.4, 65, 3600, 7325, 1e12)] == ["0:00", "1:05", "1:00:00", "2:02:05", "99:59:59"]


def test_a_bare_command_prints_help(capsys):
    assert cli.main([]) == 0
    assert capsys.readouterr().out.startswith("usage: cygrad")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [(["train", "digits", "--foo"], "train"), (["predict"], "predict"), (["train", "x.csv", "--lr", "a"], "train"), (["predict", "a", "b", "c"], "predict"), (["export", "r", "--format", "x"], "export"), (["serve", "r", "--port", "x"], "serve"), (["runs", "--x"], "runs")],
)
def test_an_error_points_to_the_help_of_its_command(arguments, name, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2 and f"see cygrad {name} --help\n" in capsys.readouterr().err


def test_a_closed_pipe_ends_no_training(tmp_path):
    command = f"{sys.executable} -m cygrad train digits --epochs 3 | head -n 1"
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "" and len(done.stdout.splitlines()) == 1
    assert (tmp_path / "runs" / "digits" / "report.html").exists()
