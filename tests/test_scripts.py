"""Scripts of PyTorch print the same numbers on cygrad, each run as ``python -m cygrad.torch script.py`` runs it."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts"
NAMES = sorted(path.stem for path in SCRIPTS.glob("*.py") if path.stem != "weights")
NUMBER = re.compile(r"[-+]?\d+\.\d*(?:e[-+]?\d+)?|[-+]?\d+e[-+]?\d+")


@pytest.mark.parametrize("name", NAMES)
def test_a_script_prints_what_it_prints_with_pytorch(name, monkeypatch):
    pytest.importorskip("torch")
    path = str(SCRIPTS / f"{name}.py")
    ours = subprocess.run([sys.executable, "-W", "error", "-m", "cygrad.torch", "-q", path], capture_output=True, text=True, timeout=300)
    assert ours.returncode == 0, ours.stderr
    monkeypatch.setattr(sys, "argv", [path])
    monkeypatch.syspath_prepend(str(SCRIPTS))
    with contextlib.redirect_stdout(io.StringIO()) as theirs:
        runpy.run_path(path, run_name="__main__")
    theirs = theirs.getvalue()
    assert [" ".join(NUMBER.sub("#", text).split()) for text in (ours.stdout, theirs)] == [" ".join(NUMBER.sub("#", theirs).split())] * 2
    numbers = [[float(n) for n in NUMBER.findall(text)] for text in (ours.stdout, theirs)]
    assert numbers[0] == pytest.approx(numbers[1], rel=2e-3, abs=2e-4) and len(numbers[0]) > 5
