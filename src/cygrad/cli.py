"""The command ``cygrad``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from cygrad._version import __version__

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
    top = Parser(prog="cygrad", description="A lightweight training engine for CPUs.")
    top.add_argument("--version", action="version", version=f"cygrad {__version__}", help="print the version and end")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_train(commands)
    add_resume(commands)
    add_runs(commands)
    add_predict(commands)
    add_export(commands)
    add_serve(commands)
    add_bench(commands)
    command = commands.add_parser("info", help="print what this build is made of", description=info.__doc__)
    command.set_defaults(command=info)
    return top


def add_train(commands: Any) -> None:
    """The options of ``cygrad train``."""
    from cygrad.runs.options import TABLE, TRAINING, Options, defaults

    command = commands.add_parser("train", help="train a network and save the run", description=train.__doc__)
    command.set_defaults(command=train)
    command.add_argument("source", help="digits, mnist, a table (.csv, .npy, .npz, .parquet), or a .toml file")
    command.add_argument("--data", metavar="DIR", help="folder with the IDX files of MNIST or Fashion-MNIST")
    command.add_argument("--out", metavar="DIR", help="folder of the run (default: runs/NAME)")
    training = command.add_argument_group("training", "what is not given for a table is chosen by its size")
    usual = {name: value for name, value in defaults(Options).items() if name != "threads"}
    usual["hidden"] = ",".join(map(str, usual["hidden"]))
    for name, choice in TRAINING.items():
        add(training, name, choice, f" (default: {usual[name]})" if name in usual else "")
    table = command.add_argument_group("tables")
    for name, choice in TABLE.items():
        add(table, name, choice, "")


def add(group: Any, name: str, choice: Any, default: str) -> None:
    """An option of which nothing is noted unless it is given."""

    def kind(text: str) -> Any:
        try:
            return choice.kind(text)
        except ValueError as error:
            plain = choice.kind in (int, float)
            said = f"invalid {choice.kind.__name__} value: {text!r}" if plain else str(error)
            raise argparse.ArgumentTypeError(said) from None

    flag = f"--{name.replace('_', '-')}"
    metavar = name.rpartition("_")[2].upper()
    group.add_argument(
        flag, dest=name, type=kind, metavar=metavar, default=argparse.SUPPRESS, help=choice.text + default
    )


def add_resume(commands: Any) -> None:
    """The options of ``cygrad resume``."""
    text = "go on with a training that was killed or interrupted"
    command = commands.add_parser("resume", help=text, description=resume.__doc__)
    command.set_defaults(command=resume)
    command.add_argument("run", metavar="RUN", help="folder of a run")
    command.add_argument("--threads", type=int, help="threads that a kernel may use (default: as it began)")


def add_runs(commands: Any) -> None:
    """The options of ``cygrad runs``."""
    command = commands.add_parser("runs", help="compare runs in a table", description=runs.__doc__)
    command.set_defaults(command=runs)
    command.add_argument("folders", metavar="FOLDER", nargs="*", help="runs, or folders of them (default: runs)")
    command.add_argument("--sort", metavar="NAME", help="column whose best value comes first, such as val_loss")
    command.add_argument("--json", action="store_true", help="print JSON, with all results and options")


def add_predict(commands: Any) -> None:
    """The options of ``cygrad predict``."""
    command = commands.add_parser("predict", help="print what a run predicts for a table", description=predict.__doc__)
    command.set_defaults(command=predict)
    command.add_argument("run", metavar="RUN", help="folder of a run")
    command.add_argument("file", metavar="FILE", help="table, as the run was trained on; the target is not wanted")
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


# Commands


def train(options: argparse.Namespace) -> int:
    """Trains a perceptron with batch norm, ReLU and dropout, prints a line an epoch and what the test part tells, and
    saves the run: weights, configuration, metrics. Of a table, columns and network are chosen by what it holds. Ctrl-C
    ends it early and keeps the best weights."""
    from cygrad.runs import CHOICES, Job, read_config
    from cygrad.runs import train as run

    given = {name: value for name, value in vars(options).items() if name in CHOICES}
    said = read_config(options.source) if options.source.lower().endswith(".toml") else {"source": options.source}
    source, data, out = said.pop("source"), options.data or said.pop("data", None), options.out or said.pop("out", None)
    job = Job(source, data, {**{name: value for name, value in said.items() if name in CHOICES}, **given})
    finished = run(job, out or os.path.join("runs", job.name))
    return 0 if finished else INTERRUPTED


def resume(options: argparse.Namespace) -> int:
    """Goes on with a training that was killed or interrupted, from the end of the last whole epoch. It ends with the
    bits of one that was never stopped."""
    from cygrad.runs import resume as run

    return 0 if run(options.run, options.threads) else INTERRUPTED


def runs(options: argparse.Namespace) -> int:
    """Prints a line a run: its state, its results, and the options in which the runs differ."""
    import json

    from cygrad.runs.comparison import found, ordered, summary, tabulated

    rows, code = [], 0
    for folder in found(options.folders or ["runs"]):
        try:
            rows.append(summary(folder))
        except ValueError as error:
            print(f"cygrad: {sentence(error)}", file=sys.stderr)
            code = FAILED
    rows = ordered(rows, options.sort)
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        print(tabulated(rows) if rows else "there are no runs")
    return code


def predict(options: argparse.Namespace) -> int:
    """Prints the class of each row of a table, or the number that is predicted, one a line. The rows are scaled and
    encoded as those that the run was trained on."""
    from cygrad.runs import load

    run = load(options.run)
    for prediction in run.predictions(run.read(options.file), options.proba):
        if options.proba:
            print(",".join(f"{value:.6f}" for value in prediction))
        else:
            print(f"{prediction:.7g}" if isinstance(prediction, float) else prediction)
    sys.stdout.flush()
    return 0


def export(options: argparse.Namespace) -> int:
    """Writes the model of a run as ONNX, from rows of unscaled numbers to scores and probabilities, or predictions, or
    its weights as safetensors, under PyTorch's names."""
    import json

    from cygrad.runs import load

    ending = os.path.splitext(options.out or "")[1].lower()
    kind = options.format or ("safetensors" if ending == ".safetensors" else "onnx")
    path = options.out or os.path.join(options.run, f"model.{kind}")
    if options.out and (kind == "safetensors") != (ending == ".safetensors"):
        rule = "a safetensors file must" if kind == "safetensors" else "an onnx file must not"
        raise ValueError(f"export: {rule} end in .safetensors, got {path!r}")
    run = load(options.run)
    notes = {"cygrad": json.dumps(run.metadata())}
    if kind == "onnx":
        from cygrad.integrations.onnx import export as write

        write(
            run.network(),
            path,
            run.example(),
            opset=options.opset,
            input_names=["rows"],
            output_names=run.outputs,
            metadata=notes,
        )
    else:
        from cygrad.serialization import save

        save(run.model.state_dict(), path, {"format": "pt", **notes})
    print(f"written {path}")
    return 0


def serve(options: argparse.Namespace) -> int:
    """Answers HTTP requests until Ctrl-C: POST /invocations takes rows in MLflow's formats and gives predictions, GET
    /health, /version and /metadata tell about the server and the model."""
    from cygrad.config import set_num_threads
    from cygrad.runs import load
    from cygrad.serve import Limits
    from cygrad.serve import serve as run

    if options.threads is not None:
        set_num_threads(options.threads)

    def started(address: str) -> None:
        print(f"serving {options.run} at {address}, Ctrl-C ends it", flush=True)

    limits = Limits(body=options.max_body, rows=options.max_rows)
    run(load(options.run), options.host, options.port, limits=limits, started=started)
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
