"""Compares an ensemble of ``cygrad.sklearn`` with pytabkit's RealMLP-TD-S at their defaults: the mean error on the test
sets of some splits, and the median of the processor time of a fit, one thread. Each library runs in an environment of
its own: ``python benchmarks/realmlp.py cygrad`` and ``python benchmarks/realmlp.py pytabkit``."""

from __future__ import annotations

import argparse
import time

from cygrad.bench.timing import limit_threads

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("library", choices=("cygrad", "pytabkit"))
parser.add_argument("--splits", type=int, default=2)
options = parser.parse_args()
limit_threads(1)

import numpy as np  # noqa: E402
from sklearn import datasets  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402

TABLES = {
    "breast cancer": (True, datasets.load_breast_cancer(return_X_y=True)),
    "diabetes": (False, datasets.load_diabetes(return_X_y=True)),
    "friedman 1": (False, datasets.make_friedman1(2000, noise=1.0, random_state=0)),
    "moons": (True, datasets.make_moons(1500, noise=0.3, random_state=0)),
}


def model(classification, seed):
    """An estimator of the library with its defaults."""
    if options.library == "cygrad":
        from cygrad.sklearn import TabularClassifier, TabularRegressor

        return (TabularClassifier if classification else TabularRegressor)(random_state=seed)
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    kind = RealMLP_TD_S_Classifier if classification else RealMLP_TD_S_Regressor
    return kind(device="cpu", random_state=seed, n_threads=1, verbosity=0)


for name, (classification, (X, y)) in TABLES.items():
    errors, seconds = [], []
    for seed in range(options.splits):
        parts = train_test_split(X, y, random_state=seed, stratify=y if classification else None)
        X_train, X_test, y_train, y_test = parts
        estimator, start = model(classification, seed), time.process_time()
        estimator.fit(X_train, y_train)
        seconds.append(time.process_time() - start)
        predicted = estimator.predict(X_test)
        wrong = predicted != y_test if classification else ((predicted - y_test) / y.std()) ** 2
        errors.append(wrong.mean() if classification else np.sqrt(wrong.mean()))
    print(f"{name:15} error {np.mean(errors):.4f}  {np.median(seconds):.1f} s", flush=True)
