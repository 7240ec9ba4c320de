"""examples/mlops: the workflows run as written, and a bad model or server stops them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cygrad as cg

EXAMPLE = Path(__file__).parents[1] / "examples" / "mlops"
SERVES = (
    subprocess.run([sys.executable, "-m", "cygrad", "serve", "--help"], capture_output=True, timeout=300).returncode
    == 0
)

if not EXAMPLE.exists():
    pytest.skip("the example is not beside the tests", allow_module_level=True)
pytest.importorskip("dvc")
if SERVES:
    pytest.importorskip("uvicorn")
if shutil.which("git") is None or shutil.which("bash") is None:
    pytest.skip("the workflows need git and bash", allow_module_level=True)


def environment(home):
    source = os.path.dirname(os.path.dirname(cg.__file__))
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    return {
        **os.environ,
        "PYTHONPATH": source,
        "PATH": os.pathsep.join(paths),
        "HOME": str(home),
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "CYGRAD_NUM_THREADS": "1",
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The folder of the finished workflows, and the output."""
    folder, home = tmp_path_factory.mktemp("mlops"), tmp_path_factory.mktemp("home")
    command = [sys.executable, str(EXAMPLE / "local.py"), str(folder)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment(home))
    if SERVES:
        assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder, home, finished.stdout


def test_the_pipeline_is_reproduced_and_the_model_published(done):
    folder, _, printed = done
    metrics = json.loads((folder / "artifacts" / "model" / "evaluation" / "metrics.json").read_text())
    assert metrics["accuracy"] >= 0.96
    assert "good enough" in printed and "not good enough" not in printed
    assert f"{metrics['accuracy']:.4f}" in printed
    run = cg.runs.load(folder / "artifacts" / "model" / "run")
    sample = json.loads((folder / "artifacts" / "model" / "evaluation" / "sample.json").read_text())
    import numpy as np

    assert run.classes(np.array(sample["rows"])).tolist() == sample["predictions"]


def test_the_metrics_are_shown(done):
    folder, _, _ = done
    summary = (folder / "reproduce-reproduce.md").read_text()
    assert "accuracy" in summary and "val_loss" in summary


@pytest.mark.skipif(not SERVES, reason="this build has no cygrad serve")
def test_the_model_is_deployed(done):
    _, _, printed = done
    assert re.search(r"10 predictions match those of the trained model", printed)


@pytest.mark.skipif(not SERVES, reason="this build has no cygrad serve")
def test_a_server_with_another_model_is_not_deployed(done, tmp_path):
    folder, home, _ = done
    copy = tmp_path / "deploy"
    shutil.copytree(folder / "deploy-deploy", copy)
    sample = json.loads((copy / "evaluation" / "sample.json").read_text())
    sample["predictions"][0] = (sample["predictions"][0] + 1) % 10
    (copy / "evaluation" / "sample.json").write_text(json.dumps(sample))
    failed = subprocess.run(
        [sys.executable, "deploy.py"], cwd=copy, env=environment(home), capture_output=True, text=True, timeout=300
    )
    assert failed.returncode == 1 and "predictions do not match those of the trained model" in failed.stdout


def test_a_bad_model_is_not_published(done, tmp_path):
    folder, home, _ = done
    copy = tmp_path / "reproduce"
    shutil.copytree(folder / "reproduce-reproduce", copy)
    text = (copy / "params.yaml").read_text()
    (copy / "params.yaml").write_text(text.replace("min_accuracy: 0.96", "min_accuracy: 0.999"))
    failed = subprocess.run(
        [sys.executable, "check.py"], cwd=copy, env=environment(home), capture_output=True, text=True, timeout=300
    )
    assert failed.returncode == 1 and "not good enough" in failed.stdout


def test_data_that_leak_are_found(done, tmp_path):
    import numpy as np

    folder, home, _ = done
    copy = tmp_path / "reproduce"
    shutil.copytree(folder / "reproduce-reproduce", copy)
    with np.load(copy / "data" / "splits.npz") as file:
        arrays = dict(file)
    arrays["test_rows"][0] = arrays["train_rows"][0]
    np.savez(copy / "data" / "splits.npz", **arrays)
    command = [sys.executable, "-m", "pytest", "-q", "tests/test_data.py"]
    failed = subprocess.run(command, cwd=copy, env=environment(home), capture_output=True, text=True, timeout=300)
    assert failed.returncode == 1 and "test_no_row_is_in_two_splits" in failed.stdout
    assert "1 failed" in failed.stdout


def test_nothing_is_written_beside_the_example(done):
    written = {path.name for path in EXAMPLE.iterdir()} & {"data", "run", "live", "evaluation", "dvc.lock"}
    assert not written
