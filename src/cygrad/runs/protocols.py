"""The interfaces of runs and of data in parts, which images, tables and series implement."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from cygrad._typing import Array
from cygrad.nn.module import Module
from cygrad.runs.options import Options
from cygrad.tensor import Tensor
from cygrad.train.evaluation import Loss

__all__ = ["Part", "Run", "RunConfig", "Task"]


class RunConfig(Protocol):
    """What rebuilds a run's model, and where the run comes from; the content of ``config.json``."""

    version: str
    seed: int
    task: str
    options: dict[str, Any]
    results: dict[str, Any]
    format: int
    weights_sha256: str

    def network(self) -> Module:
        """Build the network, with new weights."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, as JSON can hold them."""


class Run(Protocol):
    """A trained model with the preprocessing around it. ``load`` returns one of the kind that a folder holds."""

    model: Module

    @property
    def config(self) -> RunConfig:
        """The configuration."""

    def inputs(self, rows: Sequence[Sequence[Any]], columns: Sequence[str] | None = None) -> Array:
        """Convert rows of values, as JSON or CSV holds them, to inputs of the model, (N, features) of float32."""

    def read(self, path: str | os.PathLike[str]) -> Array:
        """Read the rows in a file and convert them to inputs of the model."""

    def predictions(self, inputs: Array, proba: bool = False) -> list[Any]:
        """Predict a class or a number per row, or with `proba` the probabilities of all classes."""

    def network(self) -> Module:
        """Return the model with its preprocessing, for export."""

    def example(self) -> Array:
        """Return an input of ``network``."""

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs of ``network``."""

    def metadata(self) -> dict[str, Any]:
        """Describe the model, its inputs and its results, as JSON can hold it."""


class Part(Protocol):
    """The training, validation or test set: a dataset of pairs of inputs and targets."""

    @property
    def tensors(self) -> Sequence[Tensor]:
        """The tensors that determine all samples, for a fingerprint."""

    def __len__(self) -> int:
        """Return the number of samples."""


class Task(Protocol):
    """Data in parts, ready to train on, with the loss and the metrics that fit it."""

    @property
    def name(self) -> str:
        """Name of the data."""

    @property
    def train(self) -> Part:
        """The training set."""

    @property
    def validation(self) -> Part | None:
        """The validation set; None if folds of the training set take its place."""

    @property
    def test(self) -> Part | None:
        """The test set, if there is one."""

    @property
    def columns(self) -> int:
        """Inputs of a network: features per row."""

    @property
    def outputs(self) -> int:
        """Outputs of a network per row."""

    @property
    def loss(self) -> Loss:
        """The function to minimize."""

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics to report beside the loss."""

    @property
    def notes(self) -> list[str]:
        """What the user should know about the data, one message each."""

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Defaults of options that fit this data better than the general ones."""

    def network(self, options: Options) -> Module:
        """Build the network that the options describe, with new weights."""

    def run(self, model: Module, options: Mapping[str, Any], results: Mapping[str, Any]) -> Run:
        """Make a run of a model that was trained on this data."""

    def results(self, run: Any, held: Any) -> tuple[dict[str, Any], str]:
        """Return the results of a run on held-out rows to save, and lines to print. `held` are a ``Held``, of a
        forecast ``HeldForecasts``."""
