"""scikit-learn's searches on joblib's processes, Dask and Ray: the scores of one process, and one thread in each worker."""

from __future__ import annotations

import importlib.util
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg

EXAMPLE = Path(__file__).parents[1] / "examples" / "cluster_search.py"
PAGE = EXAMPLE.parents[1] / "docs" / "scale.md"
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")},
    "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1]),
    "RAY_AUTH_MODE": "disabled",  # a token would be a file in the user's home
    "RAY_USAGE_STATS_ENABLED": "0",
}

pytest.importorskip("sklearn", reason="scikit-learn is not installed")


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the examples are not next to the tests")
@pytest.mark.parametrize("backend", ["loky", "dask", "ray"])
def test_searches_give_the_scores_of_one_process(backend):
    needed = {"dask": "distributed"}.get(backend, backend)
    if backend != "loky" and importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    call = [sys.executable, "-W", "ignore", EXAMPLE, "--on", backend, "--epochs", "3"]
    done = subprocess.run(call, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    first, *rows = done.stdout.splitlines()
    assert first == "threads of a worker: 1"
    assert re.findall(r"^(\w+) .*: (.*)$", "\n".join(rows), re.MULTILINE) == [
        (name, "the same scores") for name in ("grid", "random", "halving")
    ]


@pytest.mark.skipif(not PAGE.exists(), reason="the pages are not next to the tests")
@pytest.mark.filterwarnings("ignore:MLPClassifier")
def test_the_page_about_searches_does_what_it_says(capsys):
    part = re.search(r"^## scikit-learn's searches$.*?(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)[0]
    exec(compile(re.search(r"```python\n(.*?)```", part, re.DOTALL)[1], PAGE, "exec"), {})
    assert "hidden_layer_sizes" in capsys.readouterr().out


@pytest.mark.parametrize("variables, threads", [
    ({"OMP_NUM_THREADS": "3"}, 3),
    ({"OMP_NUM_THREADS": "5,2"}, 5),
    ({"OMP_NUM_THREADS": "3", "CYGRAD_NUM_THREADS": "2"}, 2),
    ({"OMP_NUM_THREADS": "many"}, None),
    ({"OMP_NUM_THREADS": "0"}, None),
    ({}, None),
])  # fmt: skip
def test_workers_use_as_many_threads_as_their_environment_says(monkeypatch, variables, threads):
    for name in "OMP_NUM_THREADS", "CYGRAD_NUM_THREADS":
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cg.config.initial_threads() == (threads or cg.cores.usable_cores())


@pytest.mark.filterwarnings("ignore:MLPClassifier")
def test_what_is_sent_to_a_worker_is_small_and_what_comes_back_predicts_the_same():
    from cygrad.sklearn import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor

    for kind in MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor:
        assert len(pickle.dumps(kind())) < 1000
    x = np.random.default_rng(0).normal(size=(60, 4))
    model = MLPClassifier((16,), max_iter=3, random_state=0).fit(x, x[:, 0] > 0)
    weights = sum(array.nbytes for array in (*model.coefs_, *model.intercepts_))
    sent = pickle.dumps(model)
    assert len(sent) < 3 * weights + 12_000, "weights, Adam's two moments, and little else"
    assert (pickle.loads(sent).predict_proba(x) == model.predict_proba(x)).all()
