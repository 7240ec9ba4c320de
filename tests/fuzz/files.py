"""Readers of files whose bytes were changed: each returns, or raises ValueError or OSError with one line, in time and memory."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.fuzz import Fuzzer, fewer
from tests.fuzz.mutations import draw, mutated

KINDS = {  # name: words of its format
    "npz": ["PK\x01\x02", "PK\x03\x04", "PK\x05\x06", "__structure__", ".npy"],
    "npz content": ["'descr'", "'|O'", "'<U0'", "'|V0'", "'>f8'", "'<M8[ns]'", "'<c16'", "(3,)f4", "[('a','<f4')]", "True", "(0,", "shape"],
    "npz structure": ['{"dict":', '{"tensor":', '{"list":', '"tuple"', '{"array": "w"}'],
    "npy table": ["'descr'", "'|O'", "'<U0'", "'|S0'", "'>f8'", "'<M8[D]'", "'<m8'", "[('a','<f4')]", "True", "(0,", "\x93NUMPY\x02\x00"],
    "npz table": ["'|O'", "'<U0'", "'<M8[D]'", "(0, 99)", "PK"],
    "safetensors": ['"F32"', '"BF16"', '"F8_E5M2"', '"dtype"', '"shape"', '"data_offsets"', "__metadata__"],
    "csv": ["NA", "\t", '""', "1,5", "\r\n", "inf", "\x1a", "a,b"],
    "matrix": ["nan", "1e39", "1_0", "\r\n"],
    "idx": ["\0\0\x08\x01", "\0\0\x0d\x03", "\x0e"],
    "idx gz": ["\x1f\x8b", "\0\0\x08\x01", "\x20"],
    "gz": ["\x1f\x8b\x08"],
    "parquet": ["PAR1"],
    "run config": ['"kind": "table"', '"sizes"', '"std"', '"weights_sha256": ""', "[20000, 20000, 2]"],
    "table config": ['"Linear"', '"Embedding"', '"in_features"', '"Sequential"', '"category"', '"number"', '"values"', '"modules"'],
    "run weights": ["PK"],
    "job": ['"options"', '"source"', '"digits"', '"hidden"', '"epochs": 1'],
    "checkpoint": ["PK"],
    "checkpoint structure": ['"parts"', '"random"', '"running"', '{"dict":', '"history"'],
    "model": ['"Linear"', '"Embedding"', '"normalized_shape"', '"Unflatten"', '"ModuleDict"', '"training"', '"modules"'],
    "preprocessor": ['"category"', '"number"', '"format": 1', '"std": 0'],
    "toml": ["source = ", '"digits"', "[[a]]", "a.b", "1979-05-27", "0x10", "'''", "hidden = ", "inf", "{}", "missing-values"],
    "events": ["\x0a", "epoch/"],
    "jsonl": ['{"loss": 1}', "NaN"],
}  # fmt: skip


class Reader(NamedTuple):
    """A file of a kind, and what reads it: ``build(data)`` makes the file's bytes of those that are mutated."""

    path: Path
    data: bytes
    read: Callable[[Path], Any]
    build: Callable[[bytes], bytes] = bytes


def readers(folder: Path) -> dict[str, Reader]:
    """Readers by kind, with valid files in a folder."""
    import numpy as np

    import cygrad as cg
    from cygrad import data, nn, runs, train
    from cygrad.integrations.loggers import read_jsonl
    from cygrad.integrations.tensorboard import SummaryWriter
    from cygrad.integrations.tensorboard.reading import last_step
    from cygrad.runs.comparison import format_rows, summarize_run
    from cygrad.runs.job import read_job
    from tests.saved import run_of

    result: dict[str, Reader] = {}

    def add(kind: str, path: Path, read: Callable[[Path], Any], data: bytes | None = None, build: Any = bytes) -> None:
        content = path.read_bytes() if data is None else data
        path.write_bytes(build(content))
        result[kind] = Reader(path, content, read, build)

    def npy(array: Any) -> bytes:
        file = io.BytesIO()
        np.save(file, array)
        return file.getvalue()

    def zipped(name: str, others: dict[str, bytes] | None = None) -> Callable[[bytes], bytes]:
        def build(content: bytes) -> bytes:
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for key, value in {**(others or {}), name: content}.items():
                    archive.writestr(key, value)
            return file.getvalue()

        return build

    def structured(arrays: dict[str, bytes]) -> Callable[[bytes], bytes]:
        return lambda text: zipped("__structure__.npy", arrays)(npy(np.array(text.decode("utf-8", "replace"))))

    state = {"w": cg.ones(3, 2), "b": cg.zeros(3), "n": 3, "list": [1, None, "x"]}
    cg.save(state, folder / "a.npz")
    add("npz", folder / "a.npz", cg.load)
    add("npz content", folder / "b.npz", cg.load, npy(np.ones((3, 2), np.float32)), zipped("w.npy"))
    text = b'{"dict": [["w", {"tensor": "w"}], ["list", {"list": [1, {"tuple": [null]}]}]]}'
    add("npz structure", folder / "c.npz", cg.load, text, structured({"w.npy": npy(np.ones(2))}))
    add("npy table", folder / "d.npy", data.read_npy, npy(np.arange(6.0).reshape(3, 2)))
    np.savez(folder / "e.npz", a=[1.0, 2.0], city=["x", "y"])
    add("npz table", folder / "e.npz", data.read_npz)
    (folder / "f.csv").write_text('a,b,c\n1,x,"q ""r"""\n2.5,,z\nNA,y,w\n')
    add("csv", folder / "f.csv", data.read_csv)
    (folder / "f.jsonl").write_text('{"a": 1, "b": true}\n{"a": null, "c": "x"}\n', encoding="utf-8")
    add("jsonl", folder / "f.jsonl", data.read_json_lines)
    (folder / "g.csv").write_text("h,w\n1,2\n3.5,-4e2\n\n5,6\n")
    add("matrix", folder / "g.csv", data.read_matrix)
    idx = b"\0\0\x0d\x02" + (2).to_bytes(4, "big") + (3).to_bytes(4, "big") + bytes(24)
    add("idx", folder / "h", data.read_idx, idx)
    add("idx gz", folder / "i", data.read_idx, idx, gzip.compress)
    add("gz", folder / "j", data.read_idx, gzip.compress(idx))

    run = folder / "run"
    runs.save(run, run_of(1), [{"epoch": 1, "loss": 0.5}])
    whole = (run / "config.json").read_bytes()

    def read_run(path: Path) -> None:
        try:
            loaded = runs.load(path.parent)
        finally:
            format_rows([summarize_run(str(path.parent))])
        loaded.predictions(loaded.inputs([[1.0] * loaded.columns]))

    add("run config", run / "config.json", read_run)
    add("run weights", run / "weights.npz", runs_with(run / "config.json", whole, read_run))
    table = folder / "table"
    runs.save(table, table_run())
    add("table config", table / "config.json", lambda path: runs.load(path.parent))
    job = {"format": 1, "version": cg.__version__, "source": "digits", "data": None, "fingerprint": "0",
           "options": {"epochs": 3, "hidden": [8, 4], "lr": 0.1, "dropout": 0.5}}  # fmt: skip
    (folder / "training.json").write_text(json.dumps(job))
    add("job", folder / "training.json", lambda path: read_job(str(path.parent)))

    def trainer() -> Any:
        model = nn.Linear(2, 1)
        sgd = cg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        path = folder / "k.npz"
        return train.Trainer(
            model,
            nn.functional.mse_loss,
            sgd,
            checkpoint=path,
            progress=False,
            early_stopping=train.EarlyStopping(model),
        )

    trainer().fit([(cg.ones(4, 2), cg.ones(4, 1))], epochs=2)
    resumed = trainer()
    content = (folder / "k.npz").read_bytes()
    add("checkpoint", folder / "k.npz", lambda path: resumed.resume(path))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        arrays = {name: archive.read(name) for name in archive.namelist()}
    structure = str(np.load(io.BytesIO(arrays.pop("__structure__.npy")))).encode()
    add("checkpoint structure", folder / "l.npz", lambda path: resumed.resume(path), structure, structured(arrays))

    preprocessor = data.Preprocessor().fit(data.Table({"x": [1.0, 2.0], "c": ["a", "b"]}))
    preprocessor.save(folder / "m.json")
    add("preprocessor", folder / "m.json", data.Preprocessor.load)
    (folder / "n.toml").write_text('source = "digits"\nepochs = 3\nlr = 0.1\nhidden = [8, 4]\nout = "run"\n')
    add("toml", folder / "n.toml", lambda path: runs.Options.from_values(runs.read_config(path)))
    with SummaryWriter(folder / "events") as writer:
        writer.add_scalar("epoch/loss", 0.5, 3)
        writer.add_histogram("weights", np.arange(5.0), 3)
    (path,) = (folder / "events").iterdir()
    add("events", path, lambda path: last_step(path.parent, "epoch/"))
    (folder / "o.jsonl").write_text('{"loss": 0.5}\n{"loss": "NaN", "a": {"b": 1}}\n')
    add("jsonl", folder / "o.jsonl", read_jsonl)
    return {**result, **optional(folder)}


def optional(folder: Path) -> dict[str, Reader]:
    """Readers that need other packages."""
    import importlib.util

    import numpy as np

    import cygrad as cg
    from cygrad import data, nn, train

    result = {}
    if importlib.util.find_spec("safetensors"):
        cg.save({"w": cg.ones(3, 2), "n": 1}, folder / "p.safetensors")
        result["safetensors"] = Reader(folder / "p.safetensors", (folder / "p.safetensors").read_bytes(), cg.load)
        layers = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.LayerNorm(3), nn.Flatten())
        train.save_model(folder / "model", layers)
        path = folder / "model" / "model.json"
        result["model"] = Reader(path, path.read_bytes(), lambda path: train.load_model(path.parent))
    if importlib.util.find_spec("pyarrow"):
        import pyarrow
        import pyarrow.parquet

        columns = {"a": np.arange(5.0), "b": list("xyzxy"), "c": [1, None, 3, 4, 5]}
        pyarrow.parquet.write_table(pyarrow.table(columns), folder / "q.parquet")
        result["parquet"] = Reader(folder / "q.parquet", (folder / "q.parquet").read_bytes(), data.read_parquet)
    return result


def runs_with(config: Path, content: bytes, read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """``read`` after the configuration, which other cases change, is restored."""

    def restored(path: Path) -> Any:
        config.write_bytes(content)
        return read(path)

    return restored


def table_run() -> Any:
    """A run on a table of a number and a text."""
    from cygrad import data, nn, runs
    from cygrad.data.preprocessing import Classes
    from cygrad.data.preprocessing.target import target_to_dict
    from cygrad.nn.description import describe

    preprocessor = data.Preprocessor().fit(data.Table({"x": [1.0, 2.0], "c": ["a", "b"]}))
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    target = target_to_dict(Classes("y", ["no", "yes"]))
    return runs.TableRun(model, runs.TableConfig(describe(model), preprocessor.to_dict(), target, "0"))


def problem_of(reader: Reader, edits: list[Any]) -> str | None:
    """What is wrong with a reader of its file after some edits, if anything."""
    reader.path.write_bytes(reader.build(mutated(reader.data, edits)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.read(reader.path)
    except (ValueError, OSError) as error:
        return f"the message has several lines\n{error}" if "\n" in str(error) else None
    except Exception as error:
        return f"{type(error).__name__}\n{error}"
    finally:
        reader.path.write_bytes(reader.build(reader.data))
    return None


class Files(Fuzzer[dict[str, Any]]):
    """Readers of files whose bytes were changed."""

    name = "files"
    quick = 600
    memory = 1 << 30
    timeout = 60.0  # its start trains a little

    def start(self) -> None:
        folder = Path(tempfile.gettempdir(), f"cygrad-fuzz-{os.getppid()}")  # the same for all children
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.readers = readers(folder)

    def case(self, rng: random.Random) -> dict[str, Any]:
        kind = rng.choice(sorted(KINDS))
        return {"kind": kind, "edits": draw(rng, KINDS[kind])}

    def run(self, case: dict[str, Any]) -> str | None:
        if case["kind"] not in self.readers:
            return None
        self.counts[case["kind"]] += 1
        problem = problem_of(self.readers[case["kind"]], case["edits"])
        return None if problem is None else f"{case['kind']}: {problem}"

    def shrink(self, case: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for edits in fewer(case["edits"]):
            yield {**case, "edits": edits}

    def show(self, case: dict[str, Any]) -> str:
        return "\n".join(
            [
                "import tempfile",
                "from pathlib import Path",
                "from tests.fuzz.files import problem_of, readers",
                "known = readers(Path(tempfile.mkdtemp()))",
                f"problem = problem_of(known[{case['kind']!r}], {case['edits']!r})",
                "assert problem is None, problem",
            ]
        )


FUZZERS: list[Fuzzer[Any]] = [Files()]
