"""The command line: what it prints, what it writes, and its error messages."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
from cygrad import bench, cli, runs, train

COMMAND = [sys.executable, "-m", "cygrad"]
# The package under test, from any folder.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1])}
DATA = Path(os.environ.get("CYGRAD_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data")
MNIST = DATA / "mnist-t10k"


@pytest.fixture(autouse=True)
def restored_settings():
    """Restore the thread count and the random state."""
    threads, random = cg.get_num_threads(), cg.get_rng_state()
    yield
    cg.set_num_threads(threads)
    cg.set_rng_state(random)


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory):
    """A run of three epochs on the digits."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    arguments = ["train", "digits", "--epochs", "3", "--hidden", "64", "--threads", "1", "--out", str(folder)]
    assert cli.main(arguments) == 0
    return folder


def run(*arguments, **options):
    """Run the command in a process."""
    call = [*COMMAND, *arguments]
    return subprocess.run(call, env=ENVIRONMENT, capture_output=True, text=True, timeout=300, check=False, **options)


def failure(capsys, *arguments, code=1):
    """The one line that a failing command prints."""
    try:
        assert cli.main([str(a) for a in arguments]) == code
    except SystemExit as error:
        assert error.code == code
    printed = capsys.readouterr()
    assert printed.err.startswith("cygrad: ") and printed.err.count("\n") == 1, printed.err
    return printed.err[len("cygrad: ") : -1]


def accuracy(text):
    """The accuracy in the output of ``cygrad train``."""
    (number,) = re.findall(r"^test accuracy (\d+\.\d\d) %$", text, re.M)
    return float(number)


# train


def test_digits_reach_97_percent(tmp_path):
    done = run("train", "digits", cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == ""
    assert accuracy(done.stdout) >= 97
    epochs = re.findall(
        r"^epoch +\d+/40  loss [\d.]+  accuracy [\d.]+  val_loss [\d.]+  val_accuracy [\d.]+$",
        done.stdout,
        re.M,
    )
    metrics = (tmp_path / "runs" / "digits" / "metrics.csv").read_text().splitlines()
    assert len(epochs) == len(metrics) - 1 > 5
    saved = runs.load(tmp_path / "runs" / "digits")
    task = runs.digits(0)
    test = train.evaluate(saved.model, cg.data.DataLoader(task.test, 512))
    assert 100 * test["accuracy"] == pytest.approx(accuracy(done.stdout), abs=0.005)
    assert saved.config.results["test_accuracy"] == test["accuracy"]
    # The best weights, not the last ones, are in the run.
    measured = train.evaluate(saved.model, cg.data.DataLoader(task.validation, 1024))
    values = [float(line.split(",")[3]) for line in metrics[1:]]
    assert measured["loss"] == pytest.approx(min(values), rel=1e-5)
    assert values.index(min(values)) + 1 == saved.config.results["best_epoch"]


@pytest.mark.skipif(not MNIST.is_dir(), reason="no MNIST files here; CYGRAD_DATA names their folder's parent")
def test_mnist_reaches_95_5_percent(tmp_path):
    done = run("train", "mnist", "--data", str(MNIST), "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert accuracy(done.stdout) >= 95.5


def test_the_same_seed_gives_the_same_run(tmp_path, digits_run):
    again = tmp_path / "again"
    arguments = ["train", "digits", "--epochs", "3", "--hidden", "64", "--threads", "2", "--out", str(again)]
    assert cli.main(arguments) == 0
    assert (again / "weights.npz").read_bytes() == (digits_run / "weights.npz").read_bytes()


def test_a_last_batch_of_one_sample_is_dropped(tmp_path):
    # 1,258 training images are 3 batches of 419 and one image.
    out = str(tmp_path / "run")
    assert cli.main(["train", "digits", "--epochs", "1", "--batch-size", "419", "--out", out]) == 0


@pytest.mark.skipif(os.name == "nt", reason="SIGINT can't be sent to one process on Windows")
def test_ctrl_c_keeps_the_best_weights(tmp_path):
    arguments = ["train", "digits", "--epochs", "100000", "--patience", "100000", "--out", "run"]
    with subprocess.Popen(
        [*COMMAND, *arguments],
        env=ENVIRONMENT,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            for line in process.stdout:
                if line.startswith("epoch      3/"):
                    process.send_signal(signal.SIGINT)
                    break
            rest, errors = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 130 and errors == ""
    assert re.search(r"^interrupted: kept the weights of epoch \d+, validation loss", rest, re.M)
    assert accuracy(rest) > 80
    saved = runs.load(tmp_path / "run")
    measured = train.evaluate(saved.model, cg.data.DataLoader(runs.digits(0).validation, 1024))
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[1:]
    assert measured["loss"] == pytest.approx(min(float(line.split(",")[3]) for line in lines), rel=1e-5)


def test_ctrl_c_in_the_first_epoch_keeps_an_older_run(tmp_path, capsys, monkeypatch, digits_run):
    folder = shutil.copytree(digits_run, tmp_path / "run")

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(train.Trainer, "_step", interrupt)
    assert cli.main(["train", "digits", "--out", str(folder)]) == 130
    assert "interrupted during the first epoch: nothing was saved" in capsys.readouterr().out
    for name in os.listdir(digits_run):
        assert (folder / name).read_bytes() == (digits_run / name).read_bytes()


def test_non_finite_data_stops_the_training_and_the_best_weights_are_saved(tmp_path, capsys, monkeypatch):
    task = runs.digits(0)

    def step(trainer, group, original=train.Trainer._step):
        if (trainer.epoch, trainer.step_of_epoch) == (2, 3):
            group[0][0].array[0, 0] = np.nan
        return original(trainer, group)

    monkeypatch.setattr(train.Trainer, "_step", step)
    message = failure(capsys, "train", "digits", "--epochs", "5", "--out", str(tmp_path / "run"))
    assert message == "fit: epoch 2, batch 4: the data contains nan"
    saved = runs.load(tmp_path / "run")
    assert saved.config.results["best_epoch"] == 1
    assert train.evaluate(saved.model, cg.data.DataLoader(task.test, 512))["accuracy"] > 0.8


def test_a_folder_that_cannot_be_written_fails_before_the_training(tmp_path, capsys):
    (tmp_path / "taken").write_text("mine")
    message = failure(capsys, "train", "digits", "--out", str(tmp_path / "taken"))
    assert re.fullmatch(r"runs.save: .*taken can't be created as a folder \(.*\)", message)
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["mnist"], 1, "train: mnist needs --data, the folder with its IDX files"),
        (["digits", "--data", "x"], 1, "train: --data applies to mnist and fashion only, not to digits"),
        (["fashion"], 1, "train: fashion needs --data, the folder with its IDX files"),
        (["digits", "--network", "resnet"], 1, "train: network must be one of mlp, ensemble, convnet, tcn, gru, got 'resnet'"),
        (["x.csv", "--network", "convnet"], 1, "train: a convnet needs images, not a table such as x.csv"),
        (["digits", "--network", "convnet", "--hidden", "8,8,8,8"], 1, "convnet: images of 8 × 8 can't be halved 4 times"),
        (["mnist", "--data", "nowhere"], 1, "load_mnist: neither t10k-images-idx3-ubyte nor"),
        (["digits", "--epochs", "0"], 1, "train: epochs must be at least 1, got 0"),
        (["digits", "--batch-size", "0"], 1, "train: batch_size must be at least 1, got 0"),
        (["digits", "--batch-size", "1"], 1, "train: batch norm needs a batch_size of at least 2, got 1"),
        (["digits", "--patience", "0"], 1, "train: patience must be at least 1, got 0"),
        (["digits", "--clip", "0"], 1, "train: clip must be above 0, got 0.0"),
        (["digits", "--clip", "nan"], 1, "train: clip must be above 0, got nan"),
        (["digits", "--min-delta", "-1"], 1, "train: min_delta must be finite and not negative, got -1.0"),
        (["digits", "--checkpoint-seconds", "-1"], 1, "train: checkpoint_seconds must not be negative, got -1.0"),
        (["digits", "--lr", "-1"], 1, "AdamW: "),
        (["digits", "--dropout", "1"], 1, "train: dropout must lie in [0, 1), got 1.0"),
        (["digits", "--lr", "nan"], 1, "AdamW: "),
        (["digits", "--weight-decay", "-1"], 1, "AdamW: "),
        (["digits", "--dropout", "1.5"], 1, "train: dropout must lie in [0, 1), got 1.5"),
        (["digits", "--threads", "0"], 1, "set_num_threads"),
        (["digits", "--seed", "1" * 30], 1, "train: seed must fit in 64 bits, got 1"),
        (["digits", "--hidden", "3,x"], 2, "argument --hidden: must be integers of at least 1, separated by commas, got '3,x'"),
        (["digits", "--epochs", "many"], 2, "argument --epochs: must be an integer, got 'many'"),
        (["letters"], 1, "train: the source must be digits, mnist, fashion, a .toml file or a table (.csv, .data, .jsonl, .ndjson, .npy, .npz, .parquet, .tsv, .txt), got 'letters'"),
    ],
)  # fmt: skip
def test_invalid_options_are_named(capsys, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    assert message in failure(capsys, "train", *arguments, code=code)
    assert not (tmp_path / "runs" / "digits" / "config.json").exists()


# predict


def test_predict_reads_csv_and_npy(tmp_path, capsys, digits_run):
    images, labels = cg.data.load_digits()
    rows = images[:40].reshape(40, 64)
    np.savetxt(tmp_path / "rows.csv", rows, "%d", ",")
    np.save(tmp_path / "rows.npy", rows)
    wanted = runs.load(digits_run).classes(rows)
    assert (wanted == labels[:40]).mean() > 0.7
    for name in "rows.csv", "rows.npy":
        assert cli.main(["predict", str(digits_run), str(tmp_path / name)]) == 0
        assert capsys.readouterr().out == "".join(f"{number}\n" for number in wanted)
    assert cli.main(["predict", "--proba", str(digits_run), str(tmp_path / "rows.npy")]) == 0
    lines = capsys.readouterr().out.splitlines()
    shares = np.array([[float(field) for field in line.split(",")] for line in lines])
    assert shares.shape == (40, 10)
    np.testing.assert_array_equal(shares.argmax(1), wanted)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)


def test_predict_writes_csv_of_images(tmp_path, capsys, digits_run):
    np.save(tmp_path / "rows.npy", np.zeros((3, 64), np.float32))
    rows, out = str(tmp_path / "rows.npy"), str(tmp_path / "out.csv")
    assert cli.main(["predict", str(digits_run), rows, "--out", out]) == 0
    assert (tmp_path / "out.csv").read_text().split()[0] == "class"
    assert cli.main(["predict", str(digits_run), rows, "--out", out, "--proba"]) == 0
    lines = (tmp_path / "out.csv").read_text().split()
    assert lines[0] == "0,1,2,3,4,5,6,7,8,9" and len(lines) == 4
    capsys.readouterr()
    assert "keep applies to runs on the rows of a table" in failure(capsys, "predict", str(digits_run), rows, "--keep")


def test_predict_reports_errors(tmp_path, capsys, digits_run):
    table = tmp_path / "table.csv"
    table.write_text("1,2,3\n")
    wrong = failure(capsys, "predict", str(digits_run), str(table))
    assert wrong == "predict: the rows have 3 columns, but the model expects 64 columns"
    table.write_text("1,x\n")
    assert "line 1 of" in failure(capsys, "predict", str(digits_run), str(table))
    missing = str(tmp_path / "none.csv")
    assert failure(capsys, "predict", str(digits_run), missing) == f"{missing}: No such file or directory"
    assert "is not a run folder" in failure(capsys, "predict", str(tmp_path), str(table))


# export


def test_export_onnx_takes_unscaled_rows(tmp_path, capsys, digits_run):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    path = tmp_path / "digits.onnx"
    assert cli.main(["export", str(digits_run), "--format", "onnx", "--out", str(path), "--opset", "18"]) == 0
    assert capsys.readouterr().out == f"wrote {path}\n"
    written = onnx.load(path)
    assert written.opset_import[0].version == 18
    notes = json.loads({entry.key: entry.value for entry in written.metadata_props}["cygrad"])
    assert notes["classes"] == list(range(10)) and notes["task"] == "digits"
    rows = cg.data.load_digits()[0][:200].reshape(200, 64).astype(np.float32)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    scores, probabilities = session.run(["scores", "probabilities"], {"rows": rows})
    saved = runs.load(digits_run)
    np.testing.assert_allclose(scores, saved.scores(rows), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(probabilities, saved.probabilities(rows), atol=1e-6)
    np.testing.assert_array_equal(probabilities.argmax(1), saved.classes(rows))


def test_export_safetensors_has_the_weights_under_their_names(tmp_path, digits_run):
    safetensors = pytest.importorskip("safetensors", reason="safetensors is not installed")
    path = tmp_path / "digits.safetensors"
    assert cli.main(["export", str(digits_run), "--out", str(path)]) == 0
    saved = runs.load(digits_run).model.state_dict()
    with safetensors.safe_open(path, framework="np") as opened:
        assert set(opened.keys()) == set(saved)
        assert opened.metadata()["format"] == "pt"
        assert json.loads(opened.metadata()["cygrad"])["columns"] == 64
        for name in saved:
            np.testing.assert_array_equal(opened.get_tensor(name), saved[name].array)


def test_export_writes_into_the_run_by_default(tmp_path, digits_run):
    pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("safetensors", reason="safetensors is not installed")
    folder = shutil.copytree(digits_run, tmp_path / "run")
    assert cli.main(["export", str(folder)]) == 0
    assert cli.main(["export", str(folder), "--format", "safetensors"]) == 0
    assert {"model.onnx", "model.safetensors"} < set(os.listdir(folder))
    assert runs.load(folder).config == runs.load(digits_run).config
    runs.prepare_folder(folder)  # still the folder of a run


def test_export_reports_errors(tmp_path, capsys, monkeypatch, digits_run):
    run, out = str(digits_run), str(tmp_path / "model")
    assert (
        failure(capsys, "export", str(tmp_path)) == f"runs.load: {tmp_path} is not a run folder: config.json is missing"
    )
    assert "argument --format: invalid choice: 'pickle'" in failure(capsys, "export", run, "--format", "pickle", code=2)
    wrong = failure(capsys, "export", run, "--format", "safetensors", "--out", f"{out}.onnx")
    assert wrong == f"export: a safetensors file must end in .safetensors, got '{out}.onnx'"
    wrong = failure(capsys, "export", run, "--format", "onnx", "--out", f"{out}.safetensors")
    assert wrong == f"export: an onnx file must not end in .safetensors, got '{out}.safetensors'"
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert failure(capsys, "export", run) == "export: the package onnx is not installed: pip install 'cygrad[onnx]'"
    wrong = failure(capsys, "export", run, "--out", f"{out}.safetensors")
    assert wrong == "save: .safetensors files require the package: pip install safetensors"
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("opset", ["16", "22"])
def test_export_names_the_opsets(capsys, digits_run, opset):
    pytest.importorskip("onnx", reason="onnx is not installed")
    wrong = failure(capsys, "export", str(digits_run), "--opset", opset)
    assert wrong == f"export: opset must lie in 17 to 21, got {opset}"


# bench, info, and the rest


def test_bench_compares_times_and_prints_json():
    done = run("bench", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["machine"]["threads"] == 1 and result["machine"]["cpu_level"] == cg.show_config()["cpu_level"]
    names = [timing["name"] for timing in result["timings"]]
    both = ("linear", "relu", "batch norm", "layer norm", "dropout", "cross entropy")
    assert names == [
        *(f"{name}{way}" for name in both for way in ("", " backward")),
        "clip by norm",
        "adamw",
        "whole step",
    ]
    for timing in result["timings"]:
        assert timing["cygrad_us"] > 0 and timing["ratio"] == pytest.approx(timing["numpy_us"] / timing["cygrad_us"])


@pytest.mark.parametrize("case", list(bench.kernel_cases(5, 7)), ids=lambda case: case.name)
def test_both_sides_of_a_benchmark_agree_call_after_call(case):
    for _ in range(3):
        bench.compare(case)


def test_a_benchmark_of_different_results_is_refused():
    with pytest.raises(AssertionError, match="broken"):
        bench.compare(bench.KernelCase("broken", "", lambda: [np.ones(2)], lambda: [np.array([1.0, 1.01])]))


def test_the_table_of_the_benchmark():
    machine = {"cygrad": "1", "cpu_level": "some", "numpy": "2", "cpu": "Chip"}
    text = bench.report([bench.Timing("relu", "(2, 3)", 10.0, 25.0, 2.5)], machine)
    assert text.splitlines()[-1].split() == ["relu", "(2,", "3)", "10.0", "us", "25.0", "us", "2.50"]


def test_info_prints_what_is_active(capsys):
    assert cli.main(["info"]) == 0
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert {name: value.strip() for name, value in lines.items()}["cpu_level"] == cg.show_config()["cpu_level"]
    assert lines.keys() == cg.show_config().keys()


def test_every_option_is_explained():
    top = cli.parser()
    (commands,) = [action for action in top._actions if action.choices]
    for parser in [top, *commands.choices.values()]:
        assert parser is top or parser.description
        for action in parser._actions:
            assert action is commands or action.help, action
        assert parser.format_help().isascii()


def test_no_command_and_ctrl_c_outside_the_training(capsys, monkeypatch):
    assert cli.main([]) == 0 and "COMMAND" in capsys.readouterr().out

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(cg.config, "show_config", interrupt)
    assert failure(capsys, "info", code=130) == "interrupted"


@pytest.mark.skipif(os.name == "nt", reason="pipes break otherwise on Windows")
def test_a_closed_pipe_causes_no_traceback(tmp_path, digits_run):
    np.save(tmp_path / "rows.npy", np.zeros((20_000, 64), np.float32))
    arguments = [*COMMAND, "predict", "--proba", str(digits_run), str(tmp_path / "rows.npy")]
    with subprocess.Popen(
        arguments, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_importing_the_library_loads_nothing_that_only_commands_need():
    names = {
        "argparse",
        "json",
        "csv",
        "tqdm",
        "safetensors",
        "onnx",
        "uvicorn",
        "asyncio",
        "cygrad.cli",
        "cygrad.bench",
        "cygrad.serve",
    }
    code = "import sys, numpy; before = set(sys.modules); import cygrad; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert "cygrad" in done.stdout.split() and not names & set(done.stdout.split())


def test_advice_names_options_of_the_command_line(tmp_path, capsys):
    path = tmp_path / "prices.csv"
    path.write_text("price;y\n" + "".join(f"{i},5;{'ab'[i % 2]}\n" for i in range(20)))
    assert cli.main(["train", str(path), "--target", "y", "--epochs", "1", "--out", str(tmp_path / "run")]) == 1
    assert capsys.readouterr().err.endswith("pass --decimal ,, or list the column in --text or --drop\n")
    path.write_text("# made by hand\nx,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(20)))
    assert cli.main(["train", str(path), "--target", "y", "--epochs", "1", "--out", str(tmp_path / "run")]) == 1
    assert "pass --comment '#'" in capsys.readouterr().err
