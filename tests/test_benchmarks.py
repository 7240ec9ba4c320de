"""The benchmarks: peers agree before they are timed, errors and missing peers are named, results are stored."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg

pytest.importorskip("benchmarks", reason="the benchmarks are not next to the tests")

from benchmarks import __main__ as command
from benchmarks import agreement, limits, measure, peak_memory, picture, report, results
from benchmarks.cases import CASES, KERNELS, Kernel, Matmul, OpCall, TrainingStep, select
from benchmarks.inputs import inputs
from benchmarks.peers import PEERS, builder
from benchmarks.processes import Absent, Failed, Process, interpreter
from benchmarks.worker import Worker
from cygrad import bench
from cygrad.bench.cases import kernel_inputs
from cygrad.bench.command import SIZES

ROOT = Path(__file__).parents[1]
SMALL = [case for case in CASES if case.flops < 3e7 and case.bytes < 2e6]
by_name = pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1])}


def library(peer):
    if peer.startswith("torch"):
        pytest.importorskip("torch")
    return builder(peer)


def results_of(peer, case):
    work = library(peer).build(case, check=True)
    return None if work is None else {name: np.array(array) for name, array in work.results().items()}


# Cases


def test_names_are_distinct_and_select_cases():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert select([]) == list(CASES)
    assert [case.name for case in select(["^relu", "4-64-64-2@32$"])] == [
        "relu/64x256", "relu/512x2048", "step/4-64-64-2@32", "plain/4-64-64-2@32",
    ]  # fmt: skip


@pytest.mark.parametrize(("pattern", "message"), [("nothing", "no name matches 'nothing'"), ("(", "is not a regular")])
def test_a_bad_pattern_is_named(pattern, message):
    with pytest.raises(ValueError, match=message):
        select([pattern])
    assert command.main([pattern]) == command.MISUSED


def test_what_a_case_needs_at_least():
    # 784-256-10 without norm: 3 products a layer but for the input's gradient, and 8 words of traffic a parameter.
    step = TrainingStep("plain", (784, 256, 10), 64)
    assert step.flops == 2 * 64 * (2 * 784 * 256 + 3 * 256 * 10)
    assert step.bytes == 32 * (784 * 256 + 256 + 256 * 10 + 10)
    assert TrainingStep("step", (784, 256, 10), 64, norm=True).bytes - step.bytes == 32 * 2 * 256
    assert Matmul(2, 3, 5).flops == 60


def test_the_cases_of_the_command_are_cases_here():
    cases = [case for case in CASES if isinstance(case, Kernel)]
    for rows, columns in SIZES:
        assert [case.kernel for case in cases if (case.rows, case.columns) == (rows, columns)] == list(KERNELS)
    assert [case.name for case in bench.kernel_cases(5, 7)] == list(KERNELS)
    given = inputs(Kernel("dropout", 64, 256))
    for name, array in zip(("x", "dy"), kernel_inputs(64, 256)):
        np.testing.assert_array_equal(given[name], array)


@by_name
@pytest.mark.parametrize("peer", ["numpy", "torch"])
def test_peers_agree_with_cygrad(case, peer):
    theirs = results_of(peer, case)
    if theirs is None:
        pytest.skip(f"{peer} does not support {case.name}")
    agreement.check(case, {"cygrad": results_of("cygrad", case), peer: theirs})


@by_name
def test_every_array_that_is_wrong_is_noticed(case):
    right = results_of("cygrad", case)
    last = f"bias{len(case.sizes) - 2}" if isinstance(case, TrainingStep) else ""
    for name, array in right.items():
        if isinstance(case, TrainingStep) and case.norm and name.startswith("bias") and name != last:
            continue  # these biases have no effect
        with pytest.raises(agreement.Disagreement, match=rf"{case.name}: {name} of wrong"):
            agreement.check(case, {"cygrad": right, "wrong": {**right, name: array * 1.02 + 0.01}})


def test_arrays_that_are_missing_not_finite_or_of_another_shape_are_noticed():
    case = OpCall("relu", 64, 256)
    right = results_of("cygrad", case)
    for wrong in ({"y": right["y"]}, {**right, "dx": right["dx"] * np.nan}, {**right, "dx": right["dx"][:1]}):
        with pytest.raises(agreement.Disagreement):
            agreement.check(case, {"cygrad": right, "wrong": wrong})


def test_dropout_at_another_rate_is_noticed():
    case = OpCall("dropout", 64, 256)
    given = inputs(case)
    kept = np.random.default_rng(0).random(given["x"].shape) >= 0.35
    wrong = {"y": np.where(kept, given["x"] / 0.7, 0), "dx": np.where(kept, given["dy"] / 0.7, 0)}
    with pytest.raises(agreement.Disagreement, match=r"drops 0\.3"):
        agreement.check(case, {"wrong": wrong})


def test_compilers_take_part_in_what_they_compile(monkeypatch):
    wrapped = []

    def compile(function):
        wrapped.append(function)
        return function

    monkeypatch.setattr(cg, "compile", compile, raising=False)
    compiled = builder("cygrad-compiled")
    groups = {case.name.partition("/")[0] for case in SMALL if compiled.build(case, check=True)}
    assert groups == {"step", "plain", "sgd", "inference"}
    agreement.check(
        SMALL[-1],
        {"cygrad": results_of("cygrad", SMALL[-1]), "cygrad-compiled": compiled.build(SMALL[-1], check=True).results()},
    )
    assert len(wrapped) == 1 + len([case for case in SMALL if case.name.partition("/")[0] in groups])


# Runs: in processes, and with workers in this process


def test_the_command_from_end_to_end(tmp_path):
    peers = ["cygrad", "numpy", "jax"]
    with contextlib.suppress(ImportError):
        import torch  # noqa: F401

        peers.append("torch")
    missing = str(tmp_path / "no-python")
    done = subprocess.run(
        [
            sys.executable, "-m", "benchmarks", "relu/64x256", "dropout/64x256", "^sgd/", "step/17", "--rounds", "2",
            "--seconds", "0.005", "--no-limits", "--out", str(tmp_path), "--python", f"jax={missing}", "--peers", *peers,
        ],
        cwd=ROOT, env={k: v for k, v in ENVIRONMENT.items() if not k.startswith("PYTEST_XDIST")}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"skipped: jax (cannot run {missing}" in done.stdout
    content = json.loads((tmp_path / "threads-1.json").read_text(encoding="utf-8"))
    assert content.keys() == {"format", *[field.name for field in dataclasses.fields(results.Run)]}
    assert content["absent"].keys() == {"jax"}
    assert content["versions"]["cygrad"]["cygrad"] == cg.__version__
    assert content["machine"].keys() == {"cpu", "cores", "system"}
    participants = {case["name"]: list(case["times"]) for case in content["cases"]}
    available = [peer for peer in peers if peer != "jax"]
    assert participants == {
        "relu/64x256": available,
        "dropout/64x256": available,
        "step/17-100-50-3@7": [peer for peer in available if peer != "numpy"],
        "sgd/8-32-1@1": available,
    }
    for case in content["cases"]:
        assert case["flops"] + case["bytes"] > 0 and case["failed"] == {}
        for times in case["times"].values():
            assert 0 < times["lower"] <= times["median"] <= times["upper"] < 1e6 and times["samples"] == 10
    run = results.read(tmp_path / "threads-1.json")
    assert run.cases[0].ratio("cygrad") == 1 and run.cases[0].ratio("numpy") > 0


class InThisProcess(Worker):
    """A peer with the interface of a process, in this process."""

    def __init__(self, peer, spoil=lambda arrays: None):
        super().__init__(library(peer))
        self.spoil = spoil

    def prepare(self, name, path):
        part = super().prepare(name, path)
        if part:
            with np.load(path) as file:
                arrays = dict(file)
            self.spoil(arrays)
            np.savez(path, **arrays)
        return part


@pytest.fixture
def use(monkeypatch):
    """Replaces the peers of a run, and sets the machine's limits to 100 GFLOP/s and 10 GB/s."""

    def with_peers(**available):
        @contextlib.contextmanager
        def processes(peers, threads, pythons):
            yield available, {peer: {peer: "1.0"} for peer in available}, {"jax": "No module named 'jax'"}

        monkeypatch.setattr(measure, "processes", processes)
        monkeypatch.setattr(limits, "measure", lambda threads: {"gflops": 100.0, "gbytes": 10.0})

    return with_peers


QUICK = ["--rounds", "1", "--seconds", "0.002"]


def test_a_wrong_peer_ends_the_case_untimed(use, tmp_path, capsys):
    def spoil(arrays):
        if "dx" in arrays:
            arrays["dx"][3, 5] += 0.1

    use(cygrad=InThisProcess("cygrad"), numpy=InThisProcess("numpy", spoil))
    assert command.main(["relu/64x256", "sgemm/32x64x64$", *QUICK, "--out", str(tmp_path)]) == command.DISAGREED
    printed = capsys.readouterr().out
    assert "not timed: relu/64x256: dx of numpy and cygrad differ by" in printed
    assert "skipped: jax (No module named 'jax')" in printed
    assert [case.name for case in results.read(tmp_path / "threads-1.json").cases] == ["sgemm/32x64x64"]


def test_a_peer_that_fails_is_named_and_the_others_go_on(use, tmp_path, capsys):
    def spoil(arrays):
        raise Failed("something is in the way")

    use(cygrad=InThisProcess("cygrad"), numpy=InThisProcess("numpy", spoil))
    assert command.main(["relu/64x256", *QUICK, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "relu/64x256: numpy failed (something is in the way)" in printed
    (case,) = results.read(tmp_path / "threads-1.json").cases
    assert list(case.times) == ["cygrad"] and list(case.failed) == ["numpy"]
    # 5 passes over 64·256 numbers at 10 GB/s
    assert "relu/64x256, limit 32.8" in printed and "% of limit" in printed


def test_a_process_answers_fails_and_ends(tmp_path):
    process = Process("numpy", 1, sys.executable)
    try:
        assert process.hello()["numpy"] == np.__version__
        with pytest.raises(Failed, match="ValueError"):
            process.prepare("no such case", str(tmp_path / "results.npz"))
        assert not process.prepare("gelu/64x256", str(tmp_path / "results.npz"))
        assert process.prepare("sgemm/32x64x64", str(tmp_path / "results.npz"))
        assert all(seconds > 0 for seconds in process.time(0.002))
        process.process.kill()
        with pytest.raises(Failed, match="its process exited with code"):
            process.time(0.002)
    finally:
        process.close()


def test_absent_peers_say_why(tmp_path):
    with pytest.raises(Absent, match="cannot run"):
        Process("numpy", 1, str(tmp_path / "python"))
    process = Process("torch", 1, sys.executable)
    process.process.kill()
    with pytest.raises(Absent, match="its process exited"):
        process.hello()
    process.close()


def test_the_interpreter_of_a_peer(monkeypatch):
    monkeypatch.setenv("CYGRAD_BENCH_TORCH_COMPILE_PYTHON", "named")
    assert interpreter("torch-compile", {}) == "named"
    assert interpreter("torch-compile", {"torch-compile": "chosen"}) == "chosen"
    assert interpreter("numpy", {}) == sys.executable
    assert command.main(["--python", "nobody=python"]) == command.MISUSED


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_limits_are_measured():
    measured = limits.measure(1)
    assert measured.keys() == {"gflops", "gbytes"} and all(1 < value < 1e5 for value in measured.values())


def test_without_a_compiler_the_limits_are_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("CC", str(tmp_path / "cc"))
    with pytest.raises(limits.Unmeasured, match="there is no C compiler"):
        limits.measure(1)


# Output


def run(**changes):
    times = {
        "cygrad": results.Times.of([1e-6, 2e-6, 3e-6]),
        "torch": results.Times.of([8e-6, 9e-6, 8.5e-6]),
        "jax": results.Times.of([1.5e-3] * 3),
    }
    cases = [
        results.CaseResult("step/4-64-64-2@32", 100_000, 0, times),
        results.CaseResult("relu/64x256", 0, 10_000, {"cygrad": times["cygrad"]}),
    ]
    machine = {"cpu": "Some Processor", "cores": "2", "system": "Some System"}
    versions = {"cygrad": {"cygrad": "0.1"}, "torch": {"torch": "2"}}
    values = {
        "date": "2025-01-02T03:04:05+00:00",
        "threads": 1,
        "rounds": 3,
        "seconds": 0.2,
        "machine": machine,
        "limits": {"gflops": 100.0, "gbytes": 10.0},
        "versions": versions,
        "absent": {"numpy": "why"},
        "cases": cases,
    }
    return results.Run(**{**values, **changes})


def test_times_are_medians_and_quartiles():
    times = results.Times.of([5e-6, 1e-6, 2e-6, 4e-6, 3e-6])
    assert (times.lower, times.median, times.upper, times.samples) == pytest.approx((2, 3, 4, 5))
    assert times.spread == pytest.approx(2 / 3)


def test_a_run_is_written_and_read(tmp_path):
    results.write(run(), tmp_path / "run.json")
    assert results.read(tmp_path / "run.json") == run()
    (tmp_path / "other.json").write_text('{"format": 0}')
    with pytest.raises(ValueError, match="is not a result file of format"):
        results.read(tmp_path / "other.json")


def test_the_table_replaces_what_is_marked(tmp_path, capsys):
    results.write(run(), tmp_path / "run.json")
    page = tmp_path / "README.md"
    before = (
        "# Title\n<!-- benchmarks: ^step/ -->\nold\n\nolder\n<!-- end of benchmarks -->\nbetween\n"
        "<!-- benchmarks: machine -->\n<!-- end of benchmarks -->\nend\n"
    )
    page.write_text(before)
    assert report.main([str(tmp_path / "run.json"), str(page)]) == 0
    after = page.read_text()
    assert after == (
        "# Title\n<!-- benchmarks: ^step/ -->\n"
        "| case | cygrad | PyTorch | JAX jit | of the limit |\n| --- | --- | --- | --- | --- |\n"
        "| 4-64-64-2@32 | 2.00 | 8.50 (4.2) | 1,500 (750.0) | 50 % |\n"
        "<!-- end of benchmarks -->\nbetween\n<!-- benchmarks: machine -->\n"
        "Medians of 3 interleaved rounds, one thread, on Some Processor with 2 cores (measured limits: 100 GFLOP/s and "
        "10 GB/s, of which the last column is a percentage); cygrad 0.1, PyTorch 2; 2025-01-02.\n<!-- end of benchmarks -->\nend\n"
    )
    assert report.rewrite(run(), after) == after, "a second time changes nothing"
    assert report.main([]) == 2


def test_the_table_without_limits_has_no_share():
    assert report.markdown(run(limits={}), "relu") == "| case | cygrad |\n| --- | --- |\n| 64x256 | 2.00 |"
    assert "| relu/64x256 | 2.00 |" in report.markdown(run(), ".")


def test_the_table_says_what_is_missing():
    with pytest.raises(ValueError, match="the text has no <!-- benchmarks"):
        report.rewrite(run(), "nothing is marked")
    with pytest.raises(ValueError, match="no case that matches 'gelu'"):
        report.markdown(run(), "gelu")


def test_what_the_readme_marks_are_cases():
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    patterns = [match["pattern"] for match in report.MARK.finditer(page)]
    assert patterns.count(report.MACHINE) == 1 and len(patterns) > 1
    for pattern in patterns:
        assert pattern == report.MACHINE or select([pattern])


def test_the_picture_is_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    picture.write(run(), tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


# Memory, and pytest-benchmark

unix = pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not report a process's peak memory")


def from_a_small_process(code, *arguments):
    """The output of code in a small process: children would inherit this one's peak memory."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT, env={k: v for k, v in ENVIRONMENT.items() if not k.startswith("PYTEST_XDIST")}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@unix
def test_the_peak_of_a_process():
    code = """if True:
        import os, sys
        from benchmarks.peak_memory import peak
        for megabytes in (0, 200):
            print(peak([sys.executable, "-c", f"b'1' * ({megabytes} * 10**6)"], os.environ))
    """
    small, large = map(float, from_a_small_process(code).split())
    assert large - small == pytest.approx(200, abs=20)
    with pytest.raises(ChildProcessError, match="ValueError: no"):
        peak_memory.peak([sys.executable, "-c", "raise ValueError('no')"], os.environ)


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


@unix
def test_both_trainings_are_measured(tmp_path):
    rng = np.random.default_rng(0)
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", rng.integers(0, 256, (500, 28, 28)))
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.arange(500) % 10)
    code = "import sys; from benchmarks.peak_memory import main; sys.exit(main())"
    printed = from_a_small_process(code, "--data", str(tmp_path), "--epochs", "1", "--rounds", "1")
    peaks = {words[0]: float(words[1]) for words in map(str.split, printed.splitlines()) if words[2:3] == ["MB"]}
    assert 20 < peaks["cygrad"] < 500
    try:
        import torch  # noqa: F401
    except ImportError:
        assert "PyTorch  skipped: ModuleNotFoundError" in printed
    else:
        assert float(printed.split()[-1]) == pytest.approx(peaks["PyTorch"] / peaks["cygrad"], abs=0.02)
        assert peaks["PyTorch"] > 1.5 * peaks["cygrad"]


@unix
def test_a_training_that_fails_is_named(monkeypatch, capsys):
    monkeypatch.setattr(peak_memory, "COMMANDS", {"cygrad": ["-c", "raise SystemExit('broken')"]})
    assert peak_memory.main(["--data", "nowhere"]) == 1
    assert "cygrad   skipped: broken" in capsys.readouterr().out
    monkeypatch.delenv("CYGRAD_DATA", raising=False)
    assert peak_memory.main([]) == 2


def pytest_benchmarks(*options, code="import pytest, sys; sys.exit(pytest.main(sys.argv[1:]))"):
    return subprocess.run(
        [sys.executable, "-c", code, *options, "benchmarks", "-k", "relu or sgd"],
        cwd=ROOT, env={k: v for k, v in ENVIRONMENT.items() if not k.startswith("PYTEST_XDIST")}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_pytest_benchmark_runs_ops_and_steps():
    pytest.importorskip("pytest_benchmark")
    done = pytest_benchmarks("--benchmark-only", "--benchmark-max-time=0.001", "--benchmark-min-rounds=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_forward_and_backward[relu]" in done.stdout and "test_step[sgd/8-32-1@1]" in done.stdout


def test_without_pytest_benchmark_they_are_skipped():
    code = """if True:
        import pytest, sys
        class Hide:
            def pytest_configure(self):
                sys.modules["pytest_benchmark"] = None
        sys.exit(pytest.main([*sys.argv[1:], "-p", "no:benchmark"], plugins=[Hide()]))
    """
    done = pytest_benchmarks(code=code)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED and "2 skipped" in done.stdout, done.stdout


def test_every_peer_has_a_title_of_its_own():
    assert len({peer.title for peer in PEERS.values()}) == len(PEERS)
