"""Search for hyperparameters with scikit-learn on the processes of joblib, on a Dask cluster or on a Ray cluster.

    python examples/cluster_search.py                                       # processes of this machine
    python examples/cluster_search.py --on dask                             # a cluster of two workers on this machine
    python examples/cluster_search.py --on dask --address tcp://host:8786   # one that runs already
    python examples/cluster_search.py --on ray --address auto

The program is that for one process: the backend is chosen around it. The scores are those of one process, bit by bit.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import joblib
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cygrad as cg
from cygrad.sklearn import MLPClassifier

X, y = load_digits(return_X_y=True)
CHOICES = {"mlpclassifier__dropout": [0.0, 0.2], "mlpclassifier__hidden_layer_sizes": [(32,), (64,)]}
SEARCHES: dict[str, tuple[Any, dict[str, Any]]] = {
    "grid": (GridSearchCV, {}),
    "random": (RandomizedSearchCV, {"n_iter": 3, "random_state": 0}),
    "halving": (HalvingGridSearchCV, {"random_state": 0, "min_resources": 400}),
}


@contextlib.contextmanager
def workers(on: str, address: str | None) -> Iterator[None]:
    """Let scikit-learn's jobs of the block run on the workers of a backend."""
    if on == "dask":
        from dask.distributed import Client, LocalCluster

        with contextlib.ExitStack() as stack:
            local = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
            stack.enter_context(Client(address or stack.enter_context(LocalCluster(**local))))
            stack.enter_context(joblib.parallel_config("dask"))
            yield
    elif on == "ray":
        import ray
        from ray.util.joblib import register_ray

        local = {"num_cpus": 2, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        ray.init(address=address or "local", log_to_driver=False, **({} if address else local))
        register_ray()
        try:
            with joblib.parallel_config("ray"):
                yield
        finally:
            ray.shutdown()
    else:
        with joblib.parallel_config(on):
            yield


def fitted(name: str, jobs: int, epochs: int) -> tuple[Any, float]:
    """A search, and the seconds that it took."""
    kind, options = SEARCHES[name]
    network = MLPClassifier(max_iter=epochs, early_stopping=True, random_state=0)
    search = kind(make_pipeline(StandardScaler(), network), CHOICES, cv=3, n_jobs=jobs, **options)
    start = time.perf_counter()
    return search.fit(X, y), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description="Search for hyperparameters on many processes or machines.")
    parser.add_argument("--on", choices=("loky", "threading", "dask", "ray"), default="loky", help="joblib's backend")
    parser.add_argument("--address", help="of a cluster (default: one of two workers on this machine)")
    parser.add_argument("--epochs", type=int, default=15, help="of each fit (default: 15)")
    arguments = parser.parse_args()
    alone = {name: fitted(name, 1, arguments.epochs) for name in SEARCHES}
    with workers(arguments.on, arguments.address):
        threads = set(joblib.Parallel(n_jobs=2)(joblib.delayed(cg.get_num_threads)() for _ in range(4)))
        print(f"threads of a worker: {', '.join(map(str, sorted(threads)))}")
        for name, (one, seconds) in alone.items():
            many, together = fitted(name, 2, arguments.epochs)
            same = (many.cv_results_["mean_test_score"] == one.cv_results_["mean_test_score"]).all()
            print(
                f"{name:8} best {many.best_score_:.4f}  {seconds:.2f} s alone, {together:.2f} s on {arguments.on}: "
                f"{'the same scores' if same else 'OTHER SCORES'}"
            )


if __name__ == "__main__":
    main()
