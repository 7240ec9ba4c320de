"""The cost of trackers in a training of a 784-256-128-10 perceptron (batch norm, dropout, AdamW, clipping) with as many
rows as MNIST, in batches of 64. Each tracker logs every second epoch, so epochs with and without it are interleaved.

The columns are percentages of the time of epochs with the tracker: "inside" is the time in its methods, "its thread"
the CPU time of its own thread, "epochs, clock" how much longer the median epoch is. "begin and end" occurs once per
training: opening and closing the run, and logging the model, in any thread."""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
import warnings

from cygrad.bench.timing import limit_threads

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--rows", type=int, default=60_000)
options = parser.parse_args()
limit_threads(options.threads)

import numpy as np  # noqa: E402

import cygrad as cg  # noqa: E402
from cygrad.integrations import sender  # noqa: E402
from cygrad.integrations.dvc import DVC  # noqa: E402
from cygrad.integrations.loggers import CSVLogger, JSONLLogger  # noqa: E402
from cygrad.integrations.tensorboard import TensorBoard  # noqa: E402

warnings.simplefilter("ignore")
os.environ["WANDB_SILENT"] = "true"


def trackers(folder):
    """Functions that create a new tracker for each training."""
    found = {
        "CSV": lambda: CSVLogger(f"{folder}/metrics.csv"),
        "JSON lines": lambda: JSONLLogger(f"{folder}/log.jsonl"),
        "TensorBoard": lambda: TensorBoard(tempfile.mkdtemp(dir=folder)),
        "DVC": lambda: DVC(f"{folder}/dvclive"),
    }
    with contextlib.suppress(ImportError):
        import mlflow  # noqa: F401

        from cygrad.integrations import mlflow as integration

        integration.Sender = TimedSender

        found["MLflow, SQLite"] = lambda: integration.MLflow(tracking_uri=f"sqlite:///{folder}/mlflow.db", seconds=2.0)
    with contextlib.suppress(ImportError):
        import wandb  # noqa: F401

        from cygrad.integrations import wandb as wandb_integration

        wandb_integration.Sender = TimedSender

        found["W&B, offline"] = lambda: wandb_integration.WandB("benchmark", mode="offline", folder=folder, seconds=2.0)
    return found


class Timed(cg.train.Callback):
    """Forwards every second epoch to a tracker, and measures the epochs and the time in the tracker."""

    def __init__(self, tracker):
        self.tracker = tracker
        self.inside = 0.0
        self.epochs = []

    def on_fit_begin(self, trainer):
        self.tracker.on_fit_begin(trainer)
        self.start = time.perf_counter()

    def forward(self, method, trainer, metrics):
        if trainer.epoch % 2:
            begin = time.perf_counter()
            method(trainer, metrics)
            self.inside += time.perf_counter() - begin

    def on_batch_end(self, trainer, metrics):
        self.forward(self.tracker.on_batch_end, trainer, metrics)

    def on_epoch_end(self, trainer, metrics):
        self.forward(self.tracker.on_epoch_end, trainer, metrics)
        now = time.perf_counter()
        self.epochs.append(now - self.start)
        self.start = now

    def on_fit_end(self, trainer):
        self.tracker.on_fit_end(trainer)


class TimedSender(sender.Sender):
    """Measures the CPU time of each delivery. The first opens the run, the last contains the model."""

    deliveries = ()

    def _deliver(self):
        begin = time.thread_time()
        super()._deliver()
        TimedSender.deliveries += (time.thread_time() - begin,)


def training(tracker, loader):
    """The measurements of the epochs, the seconds of the tracker's thread, and those of begin and end."""
    cg.manual_seed(0)
    model = cg.train.mlp((784, 256, 128, 10), 0.3)
    optimizer = cg.optim.AdamW(model.parameters(), lr=1e-3)
    timed = Timed(tracker)
    loss = cg.nn.functional.cross_entropy
    trainer = cg.train.Trainer(model, loss, optimizer, clip=1.0, callbacks=[timed], progress=False)
    TimedSender.deliveries = ()
    begin = time.perf_counter()
    trainer.fit(loader, epochs=2 * options.epochs)
    rest = time.perf_counter() - begin - sum(timed.epochs)
    once = sum(TimedSender.deliveries[:1] + TimedSender.deliveries[-1:])
    return timed, sum(TimedSender.deliveries[1:-1]), rest + once


def main():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((options.rows, 784), dtype=np.float32)
    data = cg.data.TensorDataset(x, rng.integers(0, 10, options.rows))
    loader = cg.data.DataLoader(data, batch_size=64, shuffle=True)
    epochs = options.epochs
    print(f"{options.rows:,} rows; {options.rounds} trainings of {epochs} epochs with and {epochs} without a tracker")
    print("\n| tracker | s per epoch | inside | its thread | epochs, clock | begin and end, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        makers = trackers(folder)
        measured = {name: [] for name in makers}
        for _ in range(options.rounds):
            for name, make in makers.items():
                measured[name].append(training(make(), loader))
        for name, found in measured.items():
            report(name, found)
        os.chdir("/")


def report(name, found):
    with_it = [seconds for timed, _, _ in found for seconds in timed.epochs[::2]]
    without = [seconds for timed, _, _ in found for seconds in timed.epochs[1::2]]
    seconds = sum(with_it)
    inside = 100 * sum(timed.inside for timed, _, _ in found) / seconds
    thread = 100 * sum(threads for _, threads, _ in found) / seconds
    clock = 100 * (statistics.median(with_it) / statistics.median(without) - 1)
    rest = statistics.median(rest for _, _, rest in found)
    each = statistics.median(without)
    print(f"| {name} | {each:.3f} | {inside:.2f} % | {thread:.2f} % | {clock:+.2f} % | {rest:.2f} |")


if __name__ == "__main__":
    main()
