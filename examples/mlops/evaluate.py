"""Stage 3: evaluates the trained model on the test set, and saves sample predictions to check the deployment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from project import EVALUATION, RUN, load_splits, params, write_json

import cygrad as cg


def metrics_of(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracy, and the mean of −log p of the true class."""
    true = probabilities[np.arange(len(labels)), labels]
    return {
        "accuracy": float((probabilities.argmax(1) == labels).mean()),
        "loss": float(-np.log(np.maximum(true, 1e-12)).mean()),
    }


def main() -> None:
    run = cg.runs.load(RUN)
    rows, labels = load_splits()["test"]
    metrics = metrics_of(run.probabilities(rows), labels)
    write_json(f"{EVALUATION}/metrics.json", metrics)
    predicted = run.classes(rows)
    lines = [f"{actual},{prediction}\n" for actual, prediction in zip(labels, predicted)]
    Path(EVALUATION, "confusion.csv").write_text("actual,predicted\n" + "".join(lines), encoding="utf-8")
    count = params("evaluate")["samples"]
    sample = {"rows": rows[:count].tolist(), "predictions": predicted[:count].tolist()}
    write_json(f"{EVALUATION}/sample.json", sample)
    print(f"test accuracy {metrics['accuracy']:.4f}, loss {metrics['loss']:.4f}")


if __name__ == "__main__":
    main()
