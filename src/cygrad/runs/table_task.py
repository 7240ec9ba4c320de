"""Tables to train on: the target, the parts, and the preprocessing fitted on the training set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cygrad._typing import Array
from cygrad._version import __version__
from cygrad.data import TensorDataset, group_split, random_split, stratified_split, time_split
from cygrad.data.identifiers import identifier_notes
from cygrad.data.leakage import leakage_messages
from cygrad.data.parsing import parse_number
from cygrad.data.preprocessing import Classes, Preprocessor, fit_target
from cygrad.data.preprocessing.base import missing_mask
from cygrad.data.preprocessing.target import Target, target_to_dict
from cygrad.data.tables import Table
from cygrad.data.tables.table import require_names
from cygrad.data.timeline import parse_times
from cygrad.generator import Generator
from cygrad.nn import functional as F
from cygrad.nn.description import describe
from cygrad.nn.module import Module
from cygrad.nn.modules.container import Sequential
from cygrad.report.findings import Column
from cygrad.runs.held import Held
from cygrad.runs.image_task import PARTS
from cygrad.runs.options import Options
from cygrad.runs.profile import profile_columns
from cygrad.runs.table_run import TableConfig, TableRun, read_file
from cygrad.runs.table_scores import Scores, class_scorer, most_frequent, number_scorer, shown
from cygrad.tensor import Tensor
from cygrad.train.evaluation import Loss
from cygrad.train.models import mlp
from cygrad.train.tabular.linear import fit_linear
from cygrad.train.tabular.network import ensemble
from cygrad.train.tabular.recipe import CLASSES, DROPOUT, EPOCHS, NUMBERS, WEIGHT_DECAY, is_blended, sizes_for

__all__ = ["TableTask", "prepare_table"]


@dataclass(frozen=True)
class TableTask:
    """A table in parts, as features (n, features) of float32 and encoded targets.

    Args:
        name: of the data.
        train, validation, test: the parts; `test` is None if the options leave none, `validation` if the members of an
            ensemble are validated on folds of the training set.
        preprocessor: encodes columns as features; fitted on the training set.
        target: encodes the target column; fitted on the training set.
        reading: options of ``cygrad.data.tables.read_csv``.
        scale: of one unit of the network's output, in the target's unit.
        network_type: "ensemble" or "mlp".
        class_weight: the factor of each class in the loss of the training; None for 1.
        profile: the columns of the training set, for a report.
        notes: what the user should know about the data, one message each.
        groups: of the rows of the training set, if they have any.
    """

    name: str
    train: TensorDataset
    validation: TensorDataset | None
    test: TensorDataset | None
    preprocessor: Preprocessor
    target: Target
    reading: dict[str, Any]
    scale: float
    network_type: str = "ensemble"
    class_weight: Tensor | None = None
    profile: list[Column] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    groups: Array | None = None

    @property
    def columns(self) -> int:
        """Features per row."""
        return len(self.preprocessor.features)

    @property
    def outputs(self) -> int:
        """Outputs of a network per row: one per class, or one number."""
        return len(self.target.values) if isinstance(self.target, Classes) else 1

    @property
    def loss(self) -> Loss:
        """The function to minimize: cross entropy, or the mean squared error."""
        return F.cross_entropy if isinstance(self.target, Classes) else F.mse_loss

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics to report beside the loss."""
        if not isinstance(self.target, Classes):
            return ["r2", "mae"]
        return ["accuracy"] if self.class_weight is None else ["accuracy", "balanced_accuracy"]

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Options that fit the table's size. A perceptron has about two hidden units per feature, small batches if
        there are few rows, and more epochs if an epoch has few steps."""
        rows, width = len(self.train), power_of_two(2 * self.columns, 32, 256)
        if self.network_type == "ensemble":
            return ensemble_defaults(rows, isinstance(self.target, Classes))
        small = rows < 2000
        return {
            "network": "mlp",
            "hidden": (width, width // 2),
            "batch_size": power_of_two(rows / 32, 16, 256),
            "epochs": 200 if small else 60,
            "patience": 30 if small else 12,
            "dropout": 0.1,
        }

    def network(self, options: Options) -> Sequential:
        """Build the ensemble, with outputs (K, n, outputs), or the perceptron that the options describe."""
        sizes = (self.columns, *options.hidden, self.outputs)
        if self.network_type == "mlp":
            return mlp(sizes, options.dropout)
        kind = CLASSES if isinstance(self.target, Classes) else NUMBERS
        embedded = self.preprocessor.numeric if options.embeddings else ()
        return ensemble(
            options.members or 1, sizes, kind.activation, options.dropout, None, embedded, bool(options.shared)
        )

    def run(self, model: Module, options: Mapping[str, Any], results: Mapping[str, Any]) -> TableRun:
        """Make a run of a model that was trained on this data."""
        config = TableConfig(
            layers=describe(model),
            preprocessing=self.preprocessor.to_dict(),
            target=target_to_dict(self.target),
            version=__version__,
            seed=options["seed"],
            task=self.name,
            reading=self.reading,
            options=dict(options),
            results=dict(results),
        )
        return TableRun(model, config)

    def results(self, run: TableRun, held: Held | None) -> tuple[dict[str, Any], str]:
        """Return the results of a run on held-out rows to save, with those of baselines, and a table of them to
        print."""
        assert held is not None
        every = np.arange(len(held))
        rows = {name: score(every) for name, score in self.scorers(held, run.config.threshold).items()}
        part = "test" if held.name == "test set" else "validation"
        results = {f"{part}_{name}": value for name, value in rows[self.network_type].items()}
        baselines = {name: scores for name, scores in rows.items() if name != self.network_type}
        return {**results, "baselines": baselines}, shown(rows, held.name)

    def scorers(self, held: Held, threshold: float | None) -> dict[str, Callable[[Array], Scores]]:
        """By model, the function that scores it on some of the held-out rows: the network, a linear model, and the most
        frequent class or the mean.

        Args:
            held: the rows.
            threshold: from which probability on the network predicts the second of two classes, if one was chosen.
        """
        y, size = held.targets, self.outputs
        weight = self.class_weight
        linear = held.once("linear", lambda: held.baseline(lambda x, known: fit_linear(x, known, size, weight)))
        if isinstance(self.target, Classes):
            frequent = held.constant(lambda targets: most_frequent(targets, size))
            outputs = {self.network_type: held.outputs(), "linear model": linear, "most frequent class": frequent}
            chosen = {self.network_type: threshold}
            return {name: class_scorer(z, y, chosen.get(name)) for name, z in outputs.items()}
        mean = held.constant(lambda targets: targets.mean(0))
        outputs = {self.network_type: held.outputs(), "linear model": linear, "mean": mean}
        return {name: number_scorer(self.decoded(z), self.decoded(y)) for name, z in outputs.items()}

    def decoded(self, outputs: Array) -> Array:
        """Numbers in the target's unit."""
        return np.array(self.target.decode(outputs))


def prepare_table(options: Options) -> TableTask:
    """Read a table, split it, and fit the preprocessing on the training set alone.

    Args:
        options: names the file, the target and the split.

    Raises:
        ValueError: if the table and the options do not match; the message names the column.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "flowers.csv")
        >>> rows = [f"{i % 7},{i % 5},{'rose' if i % 2 else 'lily'}" for i in range(40)]
        >>> _ = path.write_text("length,width,flower\\n" + "\\n".join(rows))
        >>> task = cg.runs.prepare_table(cg.runs.Options(str(path), target="flower"))
        >>> len(task.train), len(task.validation), len(task.test), task.target.labels  # of a perceptron
        (28, 6, 6, ['lily', 'rose'])
    """
    check_roles(options)
    table, missing = with_target(read_file(options.source, options.reading, drop=options.drop), options.target)
    name, inputs = separate_target(table, options)
    scaling = "robust" if options.is_ensemble else "standard"
    everything, identifiers = (
        inputs,
        identifier_notes(inputs, (*options.categories, *options.dates, *(options.numbers or ()))),
    )
    inputs = inputs.drop(identifiers)
    preprocessor = Preprocessor(
        categories=options.categories,
        missing=options.missing,
        scaling=scaling,
        dates=options.dates,
        date_order=options.date_order,
    )
    preprocessor.check(inputs)
    kind = fit_target(name, table[name], options.task).task
    groups = groups_of(table, options)
    parts = split(table, name, kind, options, groups)
    target = fit_target(name, table[name][parts[0]], kind)
    preprocessor.fit(inputs.take(parts[0]))
    notes = [
        target_note(target, options),
        *table.notes,
        *missing,
        *identifiers.values(),
        *preprocessor.notes,
        *single_row_notes(target, table[name]),
        *group_notes(groups, options),
    ]
    datasets = [
        encode(inputs.take(rows), table[name][rows], preprocessor, target, part, notes)
        for rows, part in zip(parts, PARTS, strict=True)
    ]
    notes += leakage_messages([table.take(rows) for rows in parts], PARTS)
    if options.has_folds:
        notes += repetition_notes(datasets[0], None if groups is None else groups[parts[0]])
    return TableTask(
        options.name,
        datasets[0],
        datasets[1] if len(parts[1]) else None,
        datasets[2] if len(parts[2]) else None,
        preprocessor,
        target,
        options.reading,
        1.0 if isinstance(target, Classes) else target.std,
        "ensemble" if options.is_ensemble else "mlp",
        weights_of(target, datasets[0].tensors[1].array, options),
        profile_columns(everything.take(parts[0]), preprocessor, identifiers),
        notes,
        None if groups is None else groups[parts[0]],
    )


def weights_of(target: Target, indices: Array, options: Options) -> Tensor | None:
    """The factor of each class in the loss, by the option class_weight; its mean over the rows is 1 if it is
    "balanced"."""
    for name in ("class_weight", "threshold"):
        if getattr(options, name) is not None and not isinstance(target, Classes):
            raise ValueError(f"train: {name} applies to classes, but the target {target.name!r} is a number")
    if not isinstance(target, Classes):
        return None
    if options.threshold is not None and len(target.values) != 2:
        raise ValueError(f"train: a threshold needs two classes, but {target.name!r} has {len(target.values)}")
    if options.class_weight is None:
        return None
    if options.class_weight == "balanced":
        counts = np.bincount(indices, minlength=len(target.values))
        return Tensor((len(indices) / (len(counts) * np.maximum(counts, 1))).astype(np.float32))
    labels = [str(label) for label in target.labels]
    factors = dict.fromkeys(labels, 1.0)
    for pair in options.class_weight.split(","):
        label, equals, text = pair.rpartition("=")
        factor = parse_number(text.strip())
        if label.strip() not in factors or not equals or factor is None or not 0 < factor < np.inf:
            known = ", ".join(labels)
            raise ValueError(
                "train: class_weight must be balanced or CLASS=FACTOR,..., with factors above 0 and the classes "
                f"{known}, got {pair.strip()!r}"
            )
        factors[label.strip()] = factor
    return Tensor(np.array([factors[label] for label in labels], np.float32))


def check_roles(options: Options) -> None:
    """Raise ValueError if the target or the time is also in categories or drop."""
    for role, name in ("target", options.target), ("time", options.time), ("group", options.group):
        if name is not None and name in (*options.categories, *options.drop):
            raise ValueError(f"train: column {name!r} is the {role}, so it can't be in categories or drop")


def with_target(table: Table, name: str | None) -> tuple[Table, list[str]]:
    """The rows that have a target, and a note that counts the others."""
    if name is None or name not in table:
        return table, []
    column = table[name]
    missing = missing_mask(column)
    count = int(missing.sum())
    if not 0 < count < len(table):
        return table, []
    rows = f"{count} row{'s' * (count != 1)}"
    return table.take(np.flatnonzero(~missing)), [f"{rows} of {len(table)} have no target {name!r} and are left out"]


def separate_target(table: Table, options: Options) -> tuple[str, Table]:
    """The name of the target, and the columns that are inputs."""
    path, columns = options.source, ", ".join(table.names)
    if options.target is None:
        raise ValueError(f"train: the option target is missing; the columns of {path} are {columns}")
    if len(table.names) == 1:
        raise ValueError(f"train: {path} has only one column, {table.names[0][:60]!r}; check the delimiter")
    for role, name in ("target", options.target), ("time", options.time), ("group", options.group):
        if name is not None and name not in table:
            raise ValueError(f"train: {path} has no column {name!r} for the option {role}; its columns are {columns}")
    if options.group == options.target:
        raise ValueError(f"train: column {options.target!r} can't be both the target and the group")
    require_names(table.names, options.categories)
    roles = (options.target, options.time, options.group)
    return options.target, table.drop([name for name in table if name in roles])


def groups_of(table: Table, options: Options) -> Array | None:
    """The group of each row, as an index; None if no column has them."""
    if options.group is None:
        return None
    column = table[options.group]
    missing = missing_mask(column)
    if missing.any():
        row = int(missing.argmax()) + 1
        raise ValueError(f"train: column {options.group!r} has a missing value in row {row}, so that row has no group")
    values, codes = np.unique(column.astype(str), return_inverse=True)
    if len(values) < 2:
        raise ValueError(f"train: column {options.group!r} has one group only, {values[0][:40]!r}; a split needs two")
    return codes


def group_notes(groups: Array | None, options: Options) -> list[str]:
    """A note that counts the groups."""
    if groups is None:
        return []
    return [f"{groups.max() + 1:,} groups of column {options.group!r}, which is no input: none is in two parts"]


def split(table: Table, name: str, kind: str, options: Options, groups: Array | None = None) -> list[Array]:
    """The row indices of the training, validation and test set, in ascending order."""
    fractions = options.fractions
    rows, generator = range(len(table)), Generator().manual_seed(options.seed)
    method = options.split or ("time" if options.time else "stratified" if kind == "classification" else "random")
    if groups is not None:
        subsets = group_split(rows, groups, fractions, generator)
    elif method == "time" and options.time is not None:
        subsets = time_split(rows, moments(options.time, table[options.time]), fractions)
    elif method == "stratified" and kind == "classification":
        subsets = stratified_split(rows, table[name].astype(str), fractions, generator)
    elif method == "stratified":
        raise ValueError(f"train: a stratified split needs classes, but the target {name!r} is a number")
    else:
        subsets = random_split(rows, fractions, generator)
    parts = [np.sort(np.asarray(subset.indices, np.int64)) for subset in subsets]
    for part, indices, fraction in zip(PARTS, parts, fractions, strict=True):
        if not len(indices) and fraction:
            count = f"{len(table)} rows" if groups is None else f"{groups.max() + 1} groups"
            raise ValueError(f"train: the {part} set is empty: {count} are too few for a fraction of {fraction:g}")
    if len(parts[0]) == 1:
        raise ValueError("train: the training set has one row, but a training needs at least two")
    if groups is not None and options.has_folds and not np.ptp(groups[parts[0]]):
        raise ValueError(f"train: the training set has one group of column {options.group!r}, but folds need two")
    return parts


def moments(name: str, column: Array) -> Array:
    """A column as points in time, see ``parse_times``."""
    try:
        return parse_times(name, column)
    except ValueError as error:
        raise ValueError(f"train: {error}") from None


def encode(
    inputs: Table, column: Array, preprocessor: Preprocessor, target: Target, part: str, notes: list[str]
) -> TensorDataset:
    """Encode a part. Values that the training set lacks belong to no category, and are noted."""
    if part != "training" and len(inputs):
        notes += unseen_notes(preprocessor, inputs, part)
    try:
        return TensorDataset(preprocessor.transform(inputs, unseen="ignore"), target.encode(column))
    except ValueError as error:
        raise ValueError(f"train: the {part} set can't be encoded: {error}") from None


def unseen_notes(preprocessor: Preprocessor, inputs: Table, part: str) -> list[str]:
    """A note for each column with values that the training set does not have."""
    missing = f"of the {part} set that the training set does not have"
    return [
        f"column {name!r} has values in {count} row{'s' * (count != 1)} {missing}"
        for name, count in preprocessor.unknown(inputs).items()
    ]


def repetition_notes(data: TensorDataset, groups: Array | None = None) -> list[str]:
    """A note if rows of the training set, which has folds, are equal in all features and the target; within a group,
    they are in one fold."""
    arrays = [tensor.array for tensor in data.tensors]
    all_rows = len(data) if groups is None else distinct_rows([*arrays, groups])
    repeated = all_rows - distinct_rows(arrays)
    if not repeated:
        return []
    return [
        f"LeakageWarning: rows of the training set that repeat others: {repeated} of {len(data)}; members of the "
        "ensemble are validated on copies of rows that they learn from"
    ]


def distinct_rows(columns: Sequence[Array]) -> int:
    """The number of distinct rows of arrays (n, …)."""
    parts = [np.ascontiguousarray(column).reshape(len(column), -1).view(np.uint8) for column in columns]
    rows = np.ascontiguousarray(np.concatenate(parts, 1))
    return len(np.unique(rows.view(f"V{rows.shape[1]}")))


def target_note(target: Target, options: Options) -> str:
    """Name the kind of task, and the option that changes it if it was inferred and could be wrong."""
    if isinstance(target, Classes):
        ambiguous = options.task is None and not target.category.of_text
        hint = "; set task = regression to predict a quantity" if ambiguous else ""
        return f"target {target.name!r}: classification, {len(target.values)} classes{hint}"
    hint = "" if options.task else "; set task = classification to predict classes"
    return f"target {target.name!r}: regression{hint}"


def single_row_notes(target: Target, column: Array) -> list[str]:
    """A note for each class that has one row, at most ten."""
    if not isinstance(target, Classes):
        return []
    values, counts = np.unique(column.astype(str), return_counts=True)
    single = values[counts == 1].tolist()
    return [f"class {value!r} has only one row, so no other row checks what is learned of it" for value in single[:10]]


def ensemble_defaults(rows: int, classes: bool) -> dict[str, Any]:
    """Options of an ensemble that fit a number of training rows and the kind of target."""
    sizes, kind = sizes_for(rows), CLASSES if classes else NUMBERS
    return {
        "network": "ensemble",
        "members": sizes.members,
        "linear": is_blended(rows),
        "hidden": sizes.hidden,
        "batch_size": sizes.batch,
        "epochs": EPOCHS,
        "patience": None,
        "lr": kind.learning_rate,
        "weight_decay": WEIGHT_DECAY,
        "dropout": DROPOUT,
        "clip": None,
    }


def power_of_two(number: float, least: int, most: int) -> int:
    """The smallest power of two that is at least `number`, between two powers of two."""
    size = least
    while size < min(number, most):
        size *= 2
    return size
