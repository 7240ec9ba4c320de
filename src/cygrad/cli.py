"""The command ``cygrad``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

__all__ = ["main"]

FORMATS = ("onnx", "safetensors")
FAILED, MISUSED, INTERRUPTED = 1, 2, 130  # 130 as a shell reports SIGINT: 128 + 2


class Parser(argparse.ArgumentParser):
    """A parser that says in one sentence what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(MISUSED, f"cygrad: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code: 0, 1 after an error, 130 after Ctrl-C; wrong options exit
    with 2."""
    try:
        options = parser().parse_args(arguments)
        return int(options.command(options))
    except KeyboardInterrupt:
        print("cygrad: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough; nothing may be written when Python closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (ValueError, TypeError, LookupError, RuntimeError, OSError, ImportError, MemoryError) as error:
        print(f"cygrad: {sentence(error)}", file=sys.stderr)
        return FAILED


def sentence(error: BaseException) -> str:
    """What an error says, on one line."""
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


# Options


def parser() -> Parser:
    """All commands and their options."""
    from cygrad import __version__

    top = Parser(prog="cygrad", description="A lightweight training engine for CPUs.")
    top.add_argument("--version", action="version", version=f"cygrad {__version__}", help="print the version and end")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_train(commands)
    add_predict(commands)
    add_export(commands)
    add_serve(commands)
    add_bench(commands)
    command = commands.add_parser("info", help="print what this build is made of", description=info.__doc__)
    command.set_defaults(command=info)
    return top


def add_train(commands: Any) -> None:
    """The options of ``cygrad train``."""
    from cygrad.train.command import Options

    default = Options()
    command = commands.add_parser("train", help="train a classifier and save the run", description=train.__doc__)
    command.set_defaults(command=train)
    command.add_argument("task", choices=("digits", "mnist"), help="digits come with the package, mnist needs --data")
    command.add_argument("--data", metavar="DIR", help="folder with the IDX files of MNIST or Fashion-MNIST")

    def add(name: str, kind: Any, value: Any, text: str) -> None:
        command.add_argument(f"--{name}", type=kind, default=value, help=f"{text} (default: {value})")

    add("epochs", int, default.epochs, "how often to go through the training part, at most")
    add("batch-size", int, default.batch_size, "images a step")
    add("lr", float, default.lr, "learning rate of the first epoch; it falls along a cosine")
    add("weight-decay", float, default.weight_decay, "decay of the weights, not of biases and norms")
    add("dropout", float, default.dropout, "probability that an activation is dropped")
    add("hidden", sizes, ",".join(map(str, default.hidden)), "sizes of the hidden layers")
    add("clip", float, default.clip, "bound of the gradient's norm")
    add("patience", int, default.patience, "epochs without a better validation loss before it stops")
    add("min-delta", float, default.min_delta, "by how much a loss must be lower to be better")
    add("seed", int, default.seed, "seed of the split, the first weights, the order and dropout")
    command.add_argument("--threads", type=int, help="threads that a kernel may use (default: all cores)")
    command.add_argument("--out", metavar="DIR", help="folder of the run (default: runs/TASK)")


def add_predict(commands: Any) -> None:
    """The options of ``cygrad predict``."""
    command = commands.add_parser(
        "predict", help="print the classes of the rows of a table", description=predict.__doc__
    )
    command.set_defaults(command=predict)
    command.add_argument("run", metavar="RUN", help="folder of a run")
    command.add_argument("file", metavar="FILE", help="table of numbers, a row for each image, .csv or .npy")
    command.add_argument("--proba", action="store_true", help="print the probabilities of all classes")


def add_export(commands: Any) -> None:
    """The options of ``cygrad export``."""
    command = commands.add_parser("export", help="write a run's model for other programs", description=export.__doc__)
    command.set_defaults(command=export)
    command.add_argument("run", metavar="RUN", help="folder of a run")
    command.add_argument("--format", choices=FORMATS, help="kind of the file (default: what --out ends in, else onnx)")
    command.add_argument("--out", metavar="FILE", help="the file (default: model.onnx or model.safetensors in RUN)")
    command.add_argument("--opset", type=int, default=21, help="version of ONNX's operators, 17 to 21 (default: 21)")


def add_serve(commands: Any) -> None:
    """The options of ``cygrad serve``."""
    command = commands.add_parser("serve", help="answer HTTP requests with a run's model", description=serve.__doc__)
    command.set_defaults(command=serve)
    command.add_argument("run", metavar="RUN", help="folder of a run")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)")
    command.add_argument("--port", type=int, default=5000, help="port, 0 for a free one (default: 5000)")
    command.add_argument("--max-body", type=int, default=16 * 2**20, help="bytes of a body (default: 16777216)")
    command.add_argument("--max-rows", type=int, default=100_000, help="rows of a request (default: 100000)")
    command.add_argument("--threads", type=int, help="threads that a kernel may use (default: all cores)")


def add_bench(commands: Any) -> None:
    """The options of ``cygrad bench``."""
    command = commands.add_parser("bench", help="time the kernels against NumPy", description=bench.__doc__)
    command.set_defaults(command=bench)
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    command.add_argument("--quick", action="store_true", help="fewer rounds, and only the small size")


def sizes(text: str) -> tuple[int, ...]:
    """The sizes of hidden layers, "256,128"; none for an empty text."""
    try:
        numbers = tuple(int(part) for part in text.split(",")) if text.strip() else ()
    except ValueError:
        numbers = (0,)
    if any(number < 1 for number in numbers):
        raise argparse.ArgumentTypeError(f"sizes are integers of at least 1, separated by commas, got {text!r}")
    return numbers


# Commands


def train(options: argparse.Namespace) -> int:
    """Trains a perceptron with batch norm, ReLU and dropout, prints a line an epoch and the accuracy on the
    test part, and saves the run: weights, configuration, metrics. Ctrl-C ends it early and keeps the best
    weights."""
    from dataclasses import fields
    from functools import partial

    from cygrad.train import tasks
    from cygrad.train.command import Options
    from cygrad.train.command import train as run

    chosen = Options(**{field.name: getattr(options, field.name) for field in fields(Options)})
    if (options.task == "mnist") != (options.data is not None):
        raise ValueError("train: mnist needs --data, the folder with its files; digits come with the package")
    load = tasks.digits if options.data is None else partial(tasks.mnist, options.data)
    finished = run(load, chosen, options.out or os.path.join("runs", options.task))
    return 0 if finished else INTERRUPTED


def predict(options: argparse.Namespace) -> int:
    """Prints the class of each row of a table, one a line. The rows are scaled as those that the run was
    trained on."""
    from cygrad.data import read_table
    from cygrad.train.run import load_run

    run = load_run(options.run)
    rows = read_table(options.file)
    if options.proba:
        for row in run.probabilities(rows):
            print(",".join(f"{value:.6f}" for value in row))
    else:
        for number in run.classes(rows):
            print(number)
    sys.stdout.flush()
    return 0


def export(options: argparse.Namespace) -> int:
    """Writes the model of a run as ONNX, from rows of unscaled numbers to scores and probabilities, or its weights as
    safetensors, under PyTorch's names."""
    import json

    from cygrad.train.run import load_run

    ending = os.path.splitext(options.out or "")[1].lower()
    kind = options.format or ("safetensors" if ending == ".safetensors" else "onnx")
    path = options.out or os.path.join(options.run, f"model.{kind}")
    if options.out and (kind == "safetensors") != (ending == ".safetensors"):
        rule = "a safetensors file must" if kind == "safetensors" else "an onnx file must not"
        raise ValueError(f"export: {rule} end in .safetensors, got {path!r}")
    run = load_run(options.run)
    notes = {"cygrad": json.dumps(run.metadata())}
    if kind == "onnx":
        from cygrad.integrations.onnx import export as write

        network, example = run.network(), (1, run.columns)
        outputs = ["scores", "probabilities"]
        write(network, path, example, opset=options.opset, input_names=["rows"], output_names=outputs, metadata=notes)
    else:
        from cygrad.serialization import save

        save(run.model.state_dict(), path, {"format": "pt", **notes})
    print(f"written {path}")
    return 0


def serve(options: argparse.Namespace) -> int:
    """Answers HTTP requests until Ctrl-C: POST /invocations takes rows in MLflow's formats and gives predictions, GET
    /health, /version and /metadata tell about the server and the model."""
    from cygrad.config import set_num_threads
    from cygrad.serve import Limits
    from cygrad.serve import serve as run
    from cygrad.train.run import load_run

    if options.threads is not None:
        set_num_threads(options.threads)

    def started(address: str) -> None:
        print(f"serving {options.run} at {address}, Ctrl-C ends it", flush=True)

    limits = Limits(body=options.max_body, rows=options.max_rows)
    run(load_run(options.run), options.host, options.port, limits=limits, started=started)
    return 0


def bench(options: argparse.Namespace) -> int:
    """Times each kernel, and a whole training step, against NumPy doing the same on one thread, after
    checking that both give the same. The ratio is NumPy's time through cygrad's."""
    from cygrad import bench

    return bench.command(json=options.json, quick=options.quick)


def info(options: argparse.Namespace) -> int:
    """Prints the version, the CPU level in use, and those that could be."""
    from cygrad.config import show_config

    for name, value in show_config().items():
        print(f"{name + ':':12} {', '.join(value) if isinstance(value, (list, tuple)) else value}")
    return 0
