"""Compares what ``cygrad train`` makes of a CSV file by default with scikit-learn's gradient boosting, MLP with early
stopping, and linear model at their defaults: the mean error on the test sets of five splits of 16 tables, which
scikit-learn and vega_datasets contain or scikit-learn generates. The error is the fraction of wrong classes, or the
root mean square over the target's deviation."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
import warnings

from cygrad.bench.timing import limit_threads

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--splits", type=int, default=5)
parser.add_argument("--first-seed", type=int, default=0, help="of the splits; those of the documentation start at 0")
parser.add_argument("--only", help="run only tables whose name contains this")
options = parser.parse_args()
limit_threads(options.threads)

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from sklearn import datasets  # noqa: E402
from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor  # noqa: E402
from sklearn.impute import SimpleImputer  # noqa: E402
from sklearn.linear_model import LogisticRegression, RidgeCV  # noqa: E402
from sklearn.model_selection import train_test_split  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402
from vega_datasets import local_data  # noqa: E402

from cygrad import runs  # noqa: E402

warnings.simplefilter("ignore")
NAMES = ("cygrad", "boosting", "MLP", "linear")


def table(frame, target, without=()):
    """Inputs and target of a data frame: text becomes categories, dates become numbers of the calendar."""
    frame = frame.dropna(subset=[target]).drop(columns=list(without))
    y, X = frame[target], frame.drop(columns=target)
    for name in list(X):
        if X[name].dtype.kind == "M":
            for part in ("year", "month", "dayofyear", "hour"):
                X[f"{name} {part}"] = getattr(X[name].dt, part)
            X = X.drop(columns=name)
        elif X[name].dtype.kind not in "fiu":
            X[name] = X[name].astype("category")
    return X, y.to_numpy(float if y.dtype.kind in "fi" else str)


def bundled(load):
    """A table of scikit-learn."""
    X, y = load(return_X_y=True)
    return pd.DataFrame(X), y


def generated(make, *args, **kwargs):
    """A generated table."""
    X, y = make(*args, random_state=0, **kwargs)
    return pd.DataFrame(X), y


TABLES = {
    "iris": lambda: bundled(datasets.load_iris),
    "wine": lambda: bundled(datasets.load_wine),
    "breast cancer": lambda: bundled(datasets.load_breast_cancer),
    "digits": lambda: bundled(datasets.load_digits),
    "diabetes": lambda: bundled(datasets.load_diabetes),
    "barley": lambda: table(local_data.barley(), "yield"),
    "cars, miles per gallon": lambda: table(local_data.cars(), "Miles_per_Gallon", ["Name"]),
    "cars, origin": lambda: table(local_data.cars(), "Origin", ["Name"]),
    "seattle weather": lambda: table(local_data.seattle_weather(), "weather"),
    "seattle temperatures": lambda: table(local_data.seattle_temps(), "temp"),
    "friedman 1": lambda: generated(datasets.make_friedman1, 2000, noise=1.0),
    "friedman 2": lambda: generated(datasets.make_friedman2, 2000, noise=100.0),
    "friedman 3": lambda: generated(datasets.make_friedman3, 2000, noise=0.1),
    "clusters": lambda: generated(
        datasets.make_classification, 5000, 20, n_informative=8, n_classes=4, n_clusters_per_class=2
    ),
    "shells": lambda: generated(datasets.make_gaussian_quantiles, n_samples=3000, n_features=10, n_classes=3),
    "moons": lambda: generated(datasets.make_moons, 1500, noise=0.3),
}


def prepared(model):
    """A model behind scaling, one-hot categories and filled missing values."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    encoder = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer(
        (encoder, make_column_selector(dtype_include="category")), remainder=numbers, sparse_threshold=0
    )
    return make_pipeline(columns, model)


class CommandLine:
    """``cygrad train`` without options for the network, and ``cygrad predict``."""

    def __init__(self, classification, seed):
        self.folder = tempfile.TemporaryDirectory()
        self.options = {"seed": seed, "task": "classification" if classification else "regression"}

    def fit(self, X, y):
        """Train on a file; the test set is elsewhere."""
        path = os.path.join(self.folder.name, "train.csv")
        X.rename(columns="column {}".format).assign(**{"the target": y}).to_csv(path, index=False)
        files = {"source": path, "target": "the target", "test": 0.0, "out": os.path.join(self.folder.name, "run")}
        with contextlib.redirect_stdout(io.StringIO()):
            runs.train(runs.Options.from_values({**files, **self.options}))

    def predict(self, X):
        """Predict the rows of a file."""
        path = os.path.join(self.folder.name, "test.csv")
        X.rename(columns="column {}".format).to_csv(path, index=False)
        run = runs.load(os.path.join(self.folder.name, "run"))
        return np.array(run.predictions(run.read(path)))


def models(classification, seed):
    """The estimators to compare, by name."""
    if classification:
        return {
            "cygrad": CommandLine(True, seed),
            "boosting": HistGradientBoostingClassifier(random_state=seed),
            "MLP": prepared(MLPClassifier(early_stopping=True, random_state=seed)),
            "linear": prepared(LogisticRegression(max_iter=1000)),
        }
    return {
        "cygrad": CommandLine(False, seed),
        "boosting": HistGradientBoostingRegressor(random_state=seed),
        "MLP": TransformedTargetRegressor(
            prepared(MLPRegressor(early_stopping=True, random_state=seed)), transformer=StandardScaler()
        ),
        "linear": prepared(RidgeCV(np.logspace(-3, 3, 13))),
    }


def errors(X, y, seed):
    """The error and the seconds of each model on one split."""
    classification = y.dtype.kind not in "f"
    parts = train_test_split(X, y, random_state=seed, stratify=y if classification else None)
    X_train, X_test, y_train, y_test = parts
    found = []
    for model in models(classification, seed).values():
        start = time.perf_counter()
        model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        predicted = model.predict(X_test)
        wrong = predicted != y_test if classification else ((predicted - y_test) / y.std()) ** 2
        found.append((wrong.mean() if classification else np.sqrt(wrong.mean()), seconds))
    return found


print(f"{options.splits} splits, {options.threads} threads\n")
print("| table | rows | columns | kind | " + " | ".join(NAMES) + " | cygrad / best | cygrad s |")
print("| --- " * 10 + "|")
ranks, ratios, fits = [], [], []
for name, load in TABLES.items():
    if options.only and options.only not in name:
        continue
    X, y = load()
    splits = np.array([errors(X, y, seed) for seed in range(options.first_seed, options.first_seed + options.splits)])
    mean = splits[:, :, 0].mean(0)
    ranks.append([1 + (mean < e).sum() + 0.5 * ((mean == e).sum() - 1) for e in mean])
    ratios.append(mean[0] / max(mean[1:].min(), 1e-9))
    kind = "numbers" if y.dtype.kind == "f" else f"{len(np.unique(y))} classes"
    shown = [f"**{e:.4f}**" if e == mean.min() else f"{e:.4f}" for e in mean]
    seconds = np.median(splits[:, 0, 1])
    row = [name, str(len(X)), str(X.shape[1]), kind, *shown, f"{ratios[-1]:.2f}", f"{seconds:.2f}"]
    print(f"| {' | '.join(row)} |", flush=True)
print("| mean rank | | | | " + " | ".join(f"{rank:.2f}" for rank in np.mean(ranks, 0)) + " | | |")
print(f"\nmore than 3 % behind the best: {sum(ratio > 1.03 for ratio in ratios)} of {len(ratios)} tables")
