"""The scripts in the README and on the pages about data, training, forecasting, compiled steps and shipping do what they
say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
TRAINING = README.parent / "docs" / "training.md"
COMPILE = README.parent / "docs" / "compile.md"
SHIPPING = README.parent / "docs" / "shipping.md"
FORECASTING = README.parent / "docs" / "forecasting.md"
DATA = README.parent / "docs" / "data.md"


@pytest.mark.skipif(not README.exists(), reason="the README is not next to the tests")
def test_the_training_script_learns_the_digits(tmp_path):
    (script,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert script.count("\n") <= 15
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) > 0.96


@pytest.mark.skipif(not TRAINING.exists(), reason="the page is not next to the tests")
def test_the_page_about_training_runs(tmp_path):
    script = "\n".join(re.findall(r"```python\n(.*?)```", TRAINING.read_text(encoding="utf-8"), re.DOTALL))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[0]) > 0.9 and (tmp_path / "digits.npz").exists()


@pytest.mark.skipif(not COMPILE.exists(), reason="the page is not next to the tests")
def test_the_page_about_compiled_steps_runs(tmp_path):
    script = "\n".join(re.findall(r"```python\n(.*?)```", COMPILE.read_text(encoding="utf-8"), re.DOTALL))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script + "\nprint(len(results))"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "gemm" in done.stdout and done.stdout.split()[-1] == "4"


@pytest.mark.skipif(not DATA.exists(), reason="the page is not next to the tests")
def test_the_page_about_data_runs(tmp_path):
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    script = "\n".join(re.findall(r"```python\n(.*?)```", DATA.read_text(encoding="utf-8"), re.DOTALL))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) > 0.9 and (tmp_path / "model" / "preprocessing.json").exists()


@pytest.mark.skipif(not FORECASTING.exists(), reason="the page is not next to the tests")
def test_the_page_about_forecasting_runs(tmp_path):
    (script,) = re.findall(r"```python\n(.*?)```", FORECASTING.read_text(encoding="utf-8"), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any("GRU" in line for line in lines[:-12])
    assert lines[-12].startswith("2026-02-16 00:00 ") and lines[-1].startswith("2026-02-16 11:00 ")


@pytest.mark.skipif(not SHIPPING.exists(), reason="the page is not next to the tests")
def test_the_page_about_shipping_runs(tmp_path):
    for package in "onnx", "onnxruntime", "safetensors":
        pytest.importorskip(package, reason=f"{package} is not installed")
    script = "\n".join(re.findall(r"```python\n(.*?)```", SHIPPING.read_text(encoding="utf-8"), re.DOTALL))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1e-5
    assert (tmp_path / "model.onnx").exists() and (tmp_path / "model.safetensors").exists()
