"""Time grows with the size of what is read or written, never with its square."""

# ruff: noqa: B008 # a default prepares what is timed

from __future__ import annotations

import contextlib
import gc
import json
import time
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn, runs, train
from cygrad.data import Preprocessor, Table, read_csv, read_idx, read_matrix, read_npy, read_npz
from cygrad.integrations.loggers import read_jsonl
from cygrad.integrations.tensorboard import SummaryWriter
from cygrad.integrations.tensorboard.reading import last_step
from cygrad.runs.comparison import format_rows, sort_rows
from cygrad.serve.refusal import Refusal
from cygrad.serve.request import read_request

JSON = "application/json"
LIMIT = 9  # times longer for four times as much: n·log n takes 4.6 times, n² 16 times


def saved(folder, value, kind=".npz"):
    path = folder / f"x{kind}"
    cg.save(value, path)
    return path


def written(folder, name, data):
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def alike(n):
    """Keys that differ only in characters that archives do not preserve."""
    digits = np.array(list("?\\\0"))
    return ["".join(digits[[number // 3**i % 3 for i in range(10)]]) for number in range(n)]


def many(n):
    return {f"layer{i}.weight": cg.Tensor(np.zeros(1, np.float32)) for i in range(n)}


def layers(n):
    return nn.Sequential(*[nn.Linear(1, 1) if i % 2 else nn.Tanh() for i in range(n)])


def model_folder(folder, n):
    pytest.importorskip("safetensors")
    train.save_model(folder / "model", layers(n))
    return folder / "model"


def events(folder, n):
    with SummaryWriter(folder / "events") as writer:
        for step in range(n):
            writer.add_scalar("epoch/loss", 0.5, step)
    return folder / "events"


def columns(n):
    return ",".join(f"c{i}" for i in range(n)) + "\n" + ",".join(["1"] * n) + "\n"


def requested(body, kind=JSON):
    body = body if isinstance(body, str) else json.dumps(body)
    data = body.encode()

    def read():
        with contextlib.suppress(Refusal):
            read_request(data, kind, 10**6, 10**7)

    return read


def predicting(n):
    """A run on a table with texts, and a request of n rows."""
    table = Table({"a": np.arange(8.0), "b": ["x", "y"] * 4})
    preprocessor = Preprocessor().fit(table)
    rows = [[float(i), "xy"[i % 2]] for i in range(n)]
    return lambda: preprocessor.transform(Table(dict(zip("ab", map(list, zip(*rows, strict=True)), strict=True))))


CASES = {  # name: (smallest n, function of a folder and n that prepares what is timed)
    "save npz": (250, lambda f, n: lambda value=many(n): cg.save(value, f / "x.npz")),
    "save npz, names alike": (200, lambda f, n: lambda value=dict.fromkeys(alike(n), np.zeros(1)): cg.save(value, f / "x.npz")),
    "save safetensors": (500, lambda f, n: lambda value=many(n): cg.save(value, f / "x.safetensors")),
    "save lists": (4000, lambda f, n: lambda value=[[i, "a"] for i in range(n)]: cg.save(value, f / "x.npz")),
    "load npz": (100, lambda f, n: lambda path=saved(f, many(n)): cg.load(path)),
    "load npz, nested": (4000, lambda f, n: lambda path=saved(f, [{"a": [i]} for i in range(n)]): cg.load(path)),
    "load npz, compressed": (100, lambda f, n: np.savez_compressed(f / "x.npz", **{f"a{i}": np.zeros(9) for i in range(n)}) or (lambda: cg.load(f / "x.npz"))),
    "load safetensors": (500, lambda f, n: lambda path=saved(f, many(n), ".safetensors"): cg.load(path)),
    "save model": (60, lambda f, n: lambda model=layers(n): train.save_model(f / "model", model)),
    "load model": (60, lambda f, n: lambda folder=model_folder(f, n): train.load_model(folder)),
    "read csv, rows": (2000, lambda f, n: lambda path=written(f, "x.csv", "a,b\n" + "1,x\n" * n): read_csv(path)),
    "read csv, texts": (2000, lambda f, n: lambda path=written(f, "x.csv", "a,b\n" + '1,"x\ny"\n' * n): read_csv(path)),
    "read csv, columns": (1000, lambda f, n: lambda path=written(f, "x.csv", columns(n)): read_csv(path)),
    "read csv, decimal commas": (2000, lambda f, n: lambda path=written(f, "x.csv", "a;b\n" + "1,5;x\n" * n): read_csv(path, decimal=",")),
    "read csv, missing": (2000, lambda f, n: lambda path=written(f, "x.csv", "a,b\n" + "NA,1\n" * n): read_csv(path)),
    "read matrix, rows": (2000, lambda f, n: lambda path=written(f, "x.csv", "1,2\n" * n): read_matrix(path)),
    "read matrix, columns": (4000, lambda f, n: lambda path=written(f, "x.csv", ",".join(["1"] * n) + "\n"): read_matrix(path)),
    "read npy, columns": (200, lambda f, n: np.save(f / "x.npy", np.zeros((2, n))) or (lambda: read_npy(f / "x.npy"))),
    "read npz, columns": (200, lambda f, n: np.savez(f / "x.npz", a=np.zeros((2, n))) or (lambda: read_npz(f / "x.npz"))),
    "read idx": (2**20, lambda f, n: lambda path=written(f, "x", b"\0\0\x08\x01" + n.to_bytes(4, "big") + bytes(n)): read_idx(path)),
    "config.toml": (500, lambda f, n: lambda path=written(f, "x.toml", 'source = "digits"\nhidden = [' + "1," * n + "]\n"): runs.read_config(path)),
    "config.toml, unknown": (500, lambda f, n: lambda path=written(f, "x.toml", "".join(f"a{i} = 1\n" for i in range(n))): refused(runs.read_config, path)),
    "config.toml, dots": (500, lambda f, n: lambda path=written(f, "x.toml", "a." * n + "a = 1\n"): refused(runs.read_config, path)),
    "fit columns": (300, lambda f, n: lambda table=Table({f"c{i}": [1.0, 2.0] for i in range(n)}): Preprocessor(drop=table.names[::2], categories=table.names[1::2]).fit(table)),
    "transform rows": (1000, lambda f, n: predicting(n)),
    "request, records": (1000, lambda f, n: requested({"dataframe_records": [{"a": i, "b": 2} for i in range(n)]})),
    "request, split": (1000, lambda f, n: requested({"dataframe_split": {"columns": ["a", "b"], "data": [[i, 2] for i in range(n)]}})),
    "request, columns": (1000, lambda f, n: requested({"inputs": {f"c{i}": [i] for i in range(n)}})),
    "request, rows": (2000, lambda f, n: requested({"instances": [[i, 2] for i in range(n)]})),
    "request, names": (500, lambda f, n: requested("{" + ",".join(f'"{i}":0' for i in range(n)) + ',"0":0}')),
    "request, last name twice": (500, lambda f, n: requested('{"inputs":[[{' + ",".join(f'"{i}":0' for i in range(n)) + f',"{n - 1}":0' + "}]]}")),
    "request, split columns twice": (1000, lambda f, n: requested({"dataframe_split": {"columns": [*range(n), n - 1], "data": [[1]]}})),
    "request, csv": (2000, lambda f, n: requested("a,b\n" + "1,2\n" * n, "text/csv")),
    "request, csv columns": (2000, lambda f, n: requested(columns(n), "text/csv")),
    "request, csv quotes": (20_000, lambda f, n: requested('a\n"' + '""' * n + '"\n', "text/csv")),
    "request, digits": (2**18, lambda f, n: requested('{"inputs":[[0.' + "1" * n + "]]}")),
    "request, brackets": (2**16, lambda f, n: requested('{"inputs":' + "[" * n)),
    "request, quotes": (2**14, lambda f, n: requested('["' + '\\"' * n + ":" * 100_001)),
    "request, spaces": (2**18, lambda f, n: requested("[" + " " * n)),
    "read jsonl": (1000, lambda f, n: lambda path=written(f, "x.jsonl", '{"loss": 0.5}\n' * n): read_jsonl(path)),
    "read events": (300, lambda f, n: lambda folder=events(f, n): last_step(folder, "epoch/")),
    "compare runs": (300, lambda f, n: lambda rows=[{"run": str(i), "lr": i, "val_loss": 1 / (i + 1)} for i in range(n)]: format_rows(sort_rows(rows, "val_loss"))),
}  # fmt: skip


def refused(call, *arguments):
    with pytest.raises(ValueError):
        call(*arguments)


def seconds(call):
    """The processor time of a call, the least of several."""
    best, spent = float("inf"), 0.0
    while spent < 0.05 or best == float("inf"):
        begun = time.process_time()
        call()
        best = min(best, time.process_time() - begun)
        spent += max(time.process_time() - begun, 1e-3)
    return best


@pytest.mark.parametrize("name", CASES)
def test_four_times_as_much_takes_four_times_as_long(tmp_path, name):
    """Sixteen times the smallest size against four times, unless both take no time; a second look excludes noise."""
    least, prepare = CASES[name]
    if "safetensors" in name:
        pytest.importorskip("safetensors")
    for attempt in range(3):
        folder = Path(tmp_path, str(attempt))
        folder.mkdir()
        gc.collect()
        gc.disable()
        try:
            small, large = seconds(prepare(folder, 4 * least)), seconds(prepare(folder, 16 * least))
        finally:
            gc.enable()
        if large < LIMIT * small or large < 0.01:
            return
    pytest.fail(f"4n takes {small:.4f} s and 16n {large:.4f} s")
