"""The command ``cygrad``."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import Field
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from cygrad._version import __version__

if TYPE_CHECKING:
    from cygrad.runs import Run

__all__ = ["main"]

Blocks = Iterable[tuple[list[Any], dict[str, list[Any]]]]  # predictions, and columns of the input
FORMATS = ("onnx", "safetensors")
FAILED, MISUSED, INTERRUPTED = 1, 2, 130  # 130 as a shell reports SIGINT: 128 + 2
TYPE_NAMES: dict[Any, str] = {int: "an integer", float: "a number"}


class Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(MISUSED, f"cygrad: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: of the command line, those of the process by default.

    Returns:
        The exit code: 0, 1 after an error, 130 after Ctrl-C.

    Raises:
        SystemExit: with code 2 if the arguments are wrong, 0 after ``--help`` and ``--version``.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return run_exec(arguments[1:]) if arguments[:1] == ["exec"] else run(arguments)
    finally:
        drop_broken_output()


def run(arguments: Sequence[str]) -> int:
    """Run a command; return its exit code."""
    name = next((argument for argument in arguments if not argument.startswith("-")), "")
    try:
        top = parser(name)
        if not arguments:
            top.print_help()
            return 0
        parsed, unknown = top.parse_known_args(arguments)
        if unknown:
            of = f" {name}" if name in COMMANDS else ""
            top.exit(MISUSED, f"cygrad: unrecognized arguments: {' '.join(unknown)}; see cygrad{of} --help\n")
        code = int(parsed.command(parsed))
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader closed the pipe
        return FAILED
    except (ValueError, TypeError, LookupError, RuntimeError, OSError, ImportError, MemoryError) as error:
        end_of_ranks = other_ranks()
        complain(message(error))
        if end_of_ranks is not None:
            end_of_ranks(type(error).__name__)
        return FAILED


def other_ranks() -> Callable[[str], object] | None:
    """What ends the other ranks, if ``mpiexec`` started several and they are connected. The first rank goes first, so
    that an error of all is printed once."""
    ranks = sys.modules.get("cygrad.distributed.process_group")
    if ranks is None or not ranks.is_initialized() or ranks.get_world_size() == 1:
        return None
    from cygrad.distributed.failure import STAGGER, stop_all

    time.sleep(STAGGER * ranks.get_rank())
    return stop_all


def complain(text: str) -> None:
    """Print an error, if that is possible."""
    with contextlib.suppress(OSError, ValueError):
        print(f"cygrad: {text}", file=sys.stderr)


def drop_broken_output() -> None:
    """Discard what is left to print if it can't be printed, because Python would try it again when it exits."""
    for stream in sys.stdout, sys.stderr:
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):  # it has no descriptor
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def message(error: BaseException) -> str:
    """The message of an error, on one line."""
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}"
    from cygrad.runs.advice import as_options

    return as_options(" ".join(str(error).split())) or type(error).__name__


# Options


class Command(NamedTuple):
    """A command: its line in ``cygrad --help``, the function that adds its options, and the one that runs it."""

    help: str
    add_options: Callable[[Parser], None]
    run: Callable[[argparse.Namespace], int]


def parser(only: str | None = None) -> Parser:
    """The parser of all commands.

    Args:
        only: the command whose options are needed. Those of all commands by default, which imports what they are
            declared by.
    """
    top = Parser(
        prog="cygrad",
        description="Train small networks on CPUs, from the command line.",
        epilog="cygrad COMMAND --help explains the options of a command.",
    )
    top.add_argument("--version", action="version", version=f"cygrad {__version__}", help="print the version and exit")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        subparser = commands.add_parser(name, help=command.help, description=command.run.__doc__)
        subparser.set_defaults(command=command.run)
        if only in (None, name):
            command.add_options(subparser)
    return top


def add_field(group: Any, flag: str, field: Field[Any]) -> None:
    """Add an option that a field of a dataclass declares; it is in the parsed arguments only if it is given."""
    parse, default = field.metadata["parse"], field.default
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
    ensemble = field.metadata.get("ensemble")
    shown = f"{shown}; of an ensemble {ensemble}" if ensemble else shown
    suffix = f" (default: {shown})" if shown not in (None, "") else ""
    group.add_argument(
        flag,
        dest=field.name,
        type=argument_type(parse),
        metavar=field.metadata["metavar"],
        default=argparse.SUPPRESS,
        help=field.metadata["help"] + suffix,
    )


def argument_type(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Turn a parser of texts into one whose ValueErrors argparse reports."""

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            reason = f"must be {TYPE_NAMES[parse]}, got {text!r}" if parse in TYPE_NAMES else str(error)
            raise argparse.ArgumentTypeError(reason) from None

    return convert


def add_run(parser: Parser) -> None:
    """Add the argument for a run's folder."""
    parser.add_argument("run", metavar="RUN", help="folder of the run")


def add_threads(parser: Parser, default: str) -> None:
    """Add the option for the number of threads."""
    text = f"threads that a kernel may use (default: {default})"
    parser.add_argument("--threads", type=argument_type(int), metavar="N", help=text)


def add_quiet(parser: Parser) -> None:
    """Add the option to print less."""
    parser.add_argument("--quiet", action="store_true", help="print nothing but results and errors")


def add_train(parser: Parser) -> None:
    """Add the options of ``cygrad train``; ``Options`` declares them."""
    from cygrad.runs.options import OPTIONS

    parser.usage = "%(prog)s [options] SOURCE"
    parser.epilog = "Examples: cygrad train digits; cygrad train people.csv --target income --out runs/income."
    text = "digits, mnist, fashion, a table (.csv, .tsv, .txt, .jsonl, .npy, .npz, .parquet; - for CSV from "
    text += "standard input), or a .toml file"
    parser.add_argument("source", metavar="SOURCE", help=text)
    add_quiet(parser)
    folder = {"metavar": "DIR", "default": argparse.SUPPRESS}
    parser.add_argument("--data", help="folder or file of MNIST or Fashion-MNIST: IDX, mnist.npz, CSV", **folder)  # type: ignore[arg-type]
    parser.add_argument("--out", help="folder of the run (default: runs/NAME)", **folder)  # type: ignore[arg-type]
    groups = {
        "training": parser.add_argument_group(
            "training",
            "Defaults are those of images and ensembles; those of other networks depend on the size of a table.",
        ),
        "table": parser.add_argument_group("tables"),
        "series": parser.add_argument_group("forecasts", "Of a column of a table, along --time."),
    }
    for name, field in OPTIONS.items():
        add_field(groups[field.metadata["group"]], f"--{name.replace('_', '-')}", field)


def add_resume(parser: Parser) -> None:
    """Add the options of ``cygrad resume``."""
    add_run(parser)
    add_threads(parser, "as when the training started")
    add_quiet(parser)


def add_sweep(parser: Parser) -> None:
    """Add the options of ``cygrad sweep``; ``Search`` declares them."""
    from cygrad.train.search.settings import SETTINGS

    parser.add_argument("file", metavar="FILE", help="the training in TOML, with the tables search and search.space")
    add_quiet(parser)
    for name, field in SETTINGS.items():
        add_field(parser, f"--{name}", field)


def add_runs(parser: Parser) -> None:
    """Add the options of ``cygrad runs``."""
    parser.add_argument(
        "folders", metavar="FOLDER", nargs="*", help="runs, or folders that contain runs (default: runs)"
    )
    parser.add_argument("--sort", metavar="COLUMN", help="put the best value of a column first, such as val_loss")
    parser.add_argument("--json", action="store_true", help="print JSON, with all results and options")


def add_predict(parser: Parser) -> None:
    """Add the options of ``cygrad predict``."""
    add_run(parser)
    parser.add_argument(
        "file", metavar="FILE", help="table with the columns of the training data; the target may be missing"
    )
    parser.add_argument("--proba", action="store_true", help="print the probabilities of all classes")
    unseen = "categories and missing numbers that the training data did not have: ignore, as missing values, or raise"
    parser.add_argument("--unseen", choices=("ignore", "raise"), default="ignore", help=f"{unseen} (default: ignore)")
    parser.add_argument("--out", metavar="FILE", help="CSV file to write, with a header; classes are named")
    parser.add_argument("--keep", action="store_true", help="CSV with a header, the columns of the table first")


def add_export(parser: Parser) -> None:
    """Add the options of ``cygrad export``."""
    add_run(parser)
    parser.add_argument("--format", choices=FORMATS, help="file format (default: by the ending of --out, else onnx)")
    parser.add_argument("--out", metavar="FILE", help="file to write (default: model.onnx or model.safetensors in RUN)")
    opset = "version of the ONNX operator set (default: the newest supported)"
    parser.add_argument("--opset", type=argument_type(int), metavar="N", help=opset)


def add_serve(parser: Parser) -> None:
    """Add the options of ``cygrad serve``; ``Limits`` declares some of them."""
    from cygrad.serve import DEFAULT_HOST, DEFAULT_PORT, Limits

    add_run(parser)
    parser.add_argument("--host", default=DEFAULT_HOST, help=f"address to listen on (default: {DEFAULT_HOST})")
    port = f"port, 0 for any free one (default: {DEFAULT_PORT})"
    parser.add_argument("--port", type=argument_type(int), metavar="N", default=DEFAULT_PORT, help=port)
    for field in Limits.options():
        add_field(parser, f"--max-{field.name}", field)
    add_threads(parser, "all cores")


def add_bench(parser: Parser) -> None:
    """Add the options of ``cygrad bench``."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and only the small size")


def add_nothing(parser: Parser) -> None:
    """Add no options."""


# Commands


def train(arguments: argparse.Namespace) -> int:
    """Train a network and save the run: weights, configuration and metrics. The network is an ensemble
    for a table, a perceptron or a convnet for images, or with --window and --horizon one that forecasts a column of a
    table. Shows the progress and the result on the test set. For a table, the preprocessing and the size of the
    networks follow from the data. Ctrl-C stops early and keeps the best weights."""
    from cygrad import runs

    silence_other_ranks()
    given = {name: value for name, value in vars(arguments).items() if name not in ("command", "quiet")}
    if given["source"].lower().endswith(".toml"):
        given = {**runs.read_config(given.pop("source")), **given}
    finished = runs.train(runs.Options.from_values(given), arguments.quiet)
    drop_broken_output()
    return 0 if finished else INTERRUPTED


def silence_other_ranks() -> None:
    """Connect the ranks that ``mpiexec`` started, and let only rank 0 print results and warnings."""
    from cygrad.train.ranks import joined

    if not joined().is_main:
        import warnings

        warnings.simplefilter("ignore")
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def resume(arguments: argparse.Namespace) -> int:
    """Continue a training that was interrupted or killed, from the end of the last complete epoch. The result has the
    same bits as that of a training that was never interrupted."""
    from cygrad import runs

    silence_other_ranks()
    finished = runs.resume(arguments.run, arguments.threads, arguments.quiet)
    drop_broken_output()
    return 0 if finished else INTERRUPTED


def sweep(arguments: argparse.Namespace) -> int:
    """Search for the best options of a training: trials with other options, a run folder for each, and a report. Every
    process that runs this with the same file and storage, on any machine, works on the same trials. After Ctrl-C the
    same command continues. Options replace those in the table search of the file."""
    from cygrad import runs

    given = {name: value for name, value in vars(arguments).items() if name not in ("command", "quiet", "file")}
    finished = runs.sweep(arguments.file, given, arguments.quiet)
    drop_broken_output()
    return 0 if finished else INTERRUPTED


def compare(arguments: argparse.Namespace) -> int:
    """Print a line per run: its state, its results, and the options in which the runs differ."""
    from cygrad.runs.comparison import find_runs, format_rows, sort_rows, summarize_run

    rows, code = [], 0
    for folder in find_runs(arguments.folders or ["runs"]):
        try:
            rows.append(summarize_run(folder))
        except ValueError as error:
            complain(message(error))
            code = FAILED
    rows = sort_rows(rows, arguments.sort)
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        print(format_rows(rows) if rows else "no runs found")
    return code


def predict(arguments: argparse.Namespace) -> int:
    """Print the predicted class or number of each row of a table, one per line; of a forecast, the time and the number
    of each row that follows the table. With --out or --keep, write CSV with a header. The preprocessing of the training
    is applied to the rows."""
    from cygrad import runs
    from cygrad.runs.answers import answers_of

    run = runs.load(arguments.run)
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        blocks = answers_of(run, arguments.file, arguments.proba, arguments.unseen, arguments.keep)
        write_answers(run, blocks, arguments) if arguments.out or arguments.keep else print_answers(blocks)
    for note in notes:
        complain(message(note.message if isinstance(note.message, Warning) else Warning(note.message)))
    if arguments.out:
        from cygrad.train.output import say

        say(f"wrote {arguments.out}")
        drop_broken_output()
    return 0


def print_answers(blocks: Blocks) -> None:
    """Print predictions, one per line."""
    for predictions, _ in blocks:
        # line by line: of one long text Python drops what a closed pipe does not take, without an error
        sys.stdout.writelines(lines_of(predictions))
    sys.stdout.flush()


def write_answers(run: Run, blocks: Blocks, arguments: argparse.Namespace) -> None:
    """Write predictions as CSV, to a file or to standard output."""
    from cygrad._files import atomic_write
    from cygrad.runs.answers import answer_columns, to_csv

    parts = (
        to_csv(answer_columns(run, predictions, arguments.proba), kept, header=number == 0)
        for number, (predictions, kept) in enumerate(blocks)
    )
    if arguments.out is None:
        for part in parts:
            sys.stdout.writelines(part.splitlines(keepends=True))
        sys.stdout.flush()
        return
    with atomic_write("predict", arguments.out) as file:
        file.writelines(part.encode() for part in parts)


def lines_of(predictions: list[Any]) -> list[str]:
    """Predictions as lines; many numbers, of the class float, by one format."""
    if set(map(type, predictions)) == {float}:
        return ("%.7g\n" * len(predictions) % tuple(predictions)).splitlines(keepends=True)
    return [f"{text_of(prediction)}\n" for prediction in predictions]


def text_of(prediction: Any) -> str:
    """A prediction as text: a class, a number, the values of a record, or probabilities."""
    if isinstance(prediction, dict):
        return ",".join(map(text_of, prediction.values()))
    if isinstance(prediction, list):  # probabilities
        return ",".join(f"{value:.6f}" for value in prediction)
    return f"{prediction:.7g}" if isinstance(prediction, float) else str(prediction)


def export(arguments: argparse.Namespace) -> int:
    """Export the model of a run: as ONNX with its preprocessing, from unscaled rows to scores and probabilities or to
    predictions, or its weights as safetensors under PyTorch's names."""
    from cygrad import runs
    from cygrad.train.output import say

    ending = os.path.splitext(arguments.out or "")[1].lower()
    kind = arguments.format or ("safetensors" if ending == ".safetensors" else "onnx")
    path = arguments.out or os.path.join(arguments.run, f"model.{kind}")
    if arguments.out and (kind == "safetensors") != (ending == ".safetensors"):
        rule = "a safetensors file must" if kind == "safetensors" else "an onnx file must not"
        raise ValueError(f"export: {rule} end in .safetensors, got {path!r}")
    run = runs.load(arguments.run)
    metadata = {"cygrad": json.dumps(run.metadata())}
    if kind == "onnx":
        from cygrad.integrations import onnx

        onnx.export(
            run.network(),
            path,
            run.example(),
            input_names=["rows"],
            output_names=run.output_names,
            metadata=metadata,
            **({} if arguments.opset is None else {"opset": arguments.opset}),
        )
    else:
        from cygrad.serialization import save

        save(run.model.state_dict(), path, metadata={"format": "pt", **metadata})
    say(f"wrote {path}")
    drop_broken_output()
    return 0


def serve(arguments: argparse.Namespace) -> int:
    """Serve a run's model over HTTP until Ctrl-C. POST /invocations takes rows in MLflow's formats and returns
    predictions; GET /health, /version and /metadata describe the server and the model."""
    from cygrad import runs, serve
    from cygrad.config import set_num_threads
    from cygrad.train.output import say

    if arguments.threads is not None:
        set_num_threads(arguments.threads)

    def started(address: str) -> None:
        say(f"serving {arguments.run} at {address}, press Ctrl-C to stop")

    names = [field.name for field in serve.Limits.options()]
    limits = serve.Limits(**{name: value for name, value in vars(arguments).items() if name in names})
    serve.serve(runs.load(arguments.run), arguments.host, arguments.port, limits=limits, started=started)
    return 0


def report(arguments: argparse.Namespace) -> int:
    """Rebuild report.html, the page of a run, and print its path: the data, learning curves, scores with intervals
    beside baselines, errors, and the importance of columns, as measured when the training ended."""
    from cygrad.runs.reporting import remake_report
    from cygrad.train.output import say

    say(remake_report(arguments.run))
    drop_broken_output()
    return 0


def bench(arguments: argparse.Namespace) -> int:
    """Time each kernel, and a whole training step, against NumPy on one thread, after checking that both give the same
    results. The ratio is NumPy's time divided by cygrad's."""
    from cygrad import bench

    return bench.command(json=arguments.json, quick=arguments.quick)


def info(arguments: argparse.Namespace) -> int:
    """Print the version, the CPU level in use and the ones this machine supports, the thread count, and the versions
    of NumPy and Python."""
    from cygrad.config import show_config

    for name, value in show_config().items():
        print(f"{name + ':':12} {', '.join(value) if isinstance(value, (list, tuple)) else value}")
    return 0


def execute(arguments: argparse.Namespace) -> int:
    """Run a PyTorch script on cygrad, as Python would run it on PyTorch: cygrad exec script.py ARGUMENTS."""
    return run_exec([])


def run_exec(arguments: Sequence[str]) -> int:
    """Run a script; errors are its own."""
    from cygrad.torch.script import main as run_script

    run_script(arguments, "cygrad exec")
    return 0


COMMANDS = {
    "train": Command("train a network and save the run", add_train, train),
    "resume": Command("resume an interrupted run", add_resume, resume),
    "sweep": Command("search for the best options of a training", add_sweep, sweep),
    "runs": Command("compare runs in a table", add_runs, compare),
    "predict": Command("predict with a trained run", add_predict, predict),
    "export": Command("export a run's model to ONNX or safetensors", add_export, export),
    "report": Command("rebuild the page that reports on a run", add_run, report),
    "serve": Command("serve a run's model over HTTP", add_serve, serve),
    "bench": Command("time the kernels against NumPy", add_bench, bench),
    "exec": Command("run a PyTorch script on cygrad", add_nothing, execute),
    "info": Command("print version, CPU level and threads", add_nothing, info),
}
