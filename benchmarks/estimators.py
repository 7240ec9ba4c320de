"""Compares cygrad.sklearn's estimators with scikit-learn's at equal settings and dtypes: the score on a test set, mean
and standard deviation over random states, and the time of a fit, in interleaved runs."""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

from cygrad.bench.timing import limit_threads

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seeds", type=int, default=10)
parser.add_argument("--only", help="run only tasks whose name contains this")
options = parser.parse_args()
limit_threads(options.threads)

import numpy as np  # noqa: E402
import sklearn.neural_network as theirs  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_digits, make_friedman1, make_regression  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

import cygrad.sklearn as ours  # noqa: E402

warnings.simplefilter("ignore", ConvergenceWarning)


def scaled(x, y):
    """Standardizes the columns, and the target of a regression."""
    return StandardScaler().fit_transform(x), (y if y.dtype.kind == "i" else (y - y.mean()) / y.std())


def housing(samples=5000):
    """Synthetic data like the California housing set: eight columns, some of them skewed, and a capped price."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, 8))
    x[:, 1:5] = np.exp(0.5 * x[:, 1:5])
    y = 2 * np.tanh(x[:, 0]) + x[:, 1] / x[:, 2] - np.sin(x[:, 6]) * x[:, 7] + 0.3 * rng.standard_normal(samples)
    return x, np.minimum(y, 5)


TASKS = {
    "digits": ("MLPClassifier", load_digits(return_X_y=True), {"max_iter": 60}),
    "digits, (256, 128)": (
        "MLPClassifier", load_digits(return_X_y=True), {"max_iter": 20, "hidden_layer_sizes": (256, 128)},
    ),
    "breast cancer": ("MLPClassifier", load_breast_cancer(return_X_y=True), {"max_iter": 100}),
    "breast cancer, sgd": (
        "MLPClassifier", load_breast_cancer(return_X_y=True),
        {"max_iter": 100, "solver": "sgd", "learning_rate_init": 0.05, "early_stopping": True},
    ),
    "housing": ("MLPRegressor", housing(), {"max_iter": 30}),
    "friedman1": ("MLPRegressor", make_friedman1(2000, noise=1.0, random_state=0), {"max_iter": 100}),
    "make_regression": (
        "MLPRegressor", make_regression(2000, 20, noise=5.0, random_state=0), {"max_iter": 60, "batch_size": 64},
    ),
    "friedman1, lbfgs": (
        "MLPRegressor", make_friedman1(1000, noise=1.0, random_state=0), {"max_iter": 100, "solver": "lbfgs"},
    ),
}  # fmt: skip


def fit(library, kind, settings, seed, data_sets, dtype):
    """The time of a fit in seconds, and the score on the test set."""
    x, x_test, y, y_test = data_sets
    model = getattr(library, kind)(random_state=seed, **settings)
    x, x_test = x.astype(dtype), x_test.astype(dtype)
    start = time.perf_counter()
    model.fit(x, y)
    return time.perf_counter() - start, model.score(x_test, y_test)


def spread(values):
    return f"{np.mean(values):.4f} ± {np.std(values):.4f}"


print(f"{options.seeds} random states, {options.threads} thread(s); seconds and ratios are medians\n")
print("| task | dtype | scikit-learn | cygrad | scikit-learn s | cygrad s | ratio |")
print("| --- | --- | --- | --- | --- | --- | --- |")
for name, (kind, data, settings) in TASKS.items():
    if options.only and options.only not in name:
        continue
    data_sets = train_test_split(*scaled(*data), test_size=0.3, random_state=0)
    for dtype in ("float64", "float32"):
        runs = [
            [fit(library, kind, settings, seed, data_sets, dtype) for library in (theirs, ours)]
            for seed in range(options.seeds)
        ]
        one, other = ([run[library] for run in runs] for library in (0, 1))
        scores = [spread([score for _, score in of]) for of in (one, other)]
        seconds = [statistics.median(time for time, _ in of) for of in (one, other)]
        ratio = statistics.median(a / b for (a, _), (b, _) in zip(one, other))
        print(
            f"| {name} | {dtype} | {scores[0]} | {scores[1]} | {seconds[0]:.3f} | {seconds[1]:.3f} | {ratio:.1f} |",
            flush=True,
        )
