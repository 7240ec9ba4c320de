"""What the server shows to people and programs, and requests that are predicted together."""

from __future__ import annotations

import asyncio
import json
import random
import re
import threading
from html.parser import HTMLParser

import numpy as np
import pytest

import cygrad as cg
from cygrad import cli, runs
from cygrad.serve import Application, Limits
from cygrad.serve.openapi import openapi_of
from tests.test_serve_limits import answers

NAMES = ["age", "<city> & \"'", "code"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A run on a table with numbers, missing ones, texts, and categories that are numbers."""
    folder, draw = tmp_path_factory.mktemp("table"), random.Random(0)
    lines = [",".join('"' + name.replace('"', '""') + '"' for name in [*NAMES, "buys"])]
    for i in range(120):
        age, city = draw.randrange(20, 70), draw.choice(["Bern", "Oslo", "<b>"])
        lines.append(f"{age if i % 9 else ''},{city},{draw.randrange(3)},{'yes' if age > 45 else 'no'}")
    (folder / "people.csv").write_text("\n".join(lines))
    options = ["--target", "buys", "--categories", "code", "--epochs", "3", "--out", str(folder / "run")]
    assert cli.main(["train", str(folder / "people.csv"), *options]) == 0
    return runs.load(folder / "run")


@pytest.fixture(scope="module")
def images():
    config = runs.ImageConfig([4, 8, 3], 0.0, mean=2.0, std=3.0, classes=[3, 5, 7], version=cg.__version__)
    return runs.ImageRun(config.network(), config)


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    lines = [f"2026-01-{1 + i // 24:02} {i % 24:02}:00,{(i % 24 - 12) ** 2 + i % 5}" for i in range(480)]
    (folder / "load.csv").write_text("time,load\n" + "\n".join(lines))
    options = ["--target", "load", "--time", "time", "--window", "24", "--horizon", "4", "--epochs", "1"]
    assert cli.main(["train", str(folder / "load.csv"), *options, "--out", str(folder / "run")]) == 0
    return runs.load(folder / "run")


KINDS = ["table", "images", "series"]


def get(application, path):
    """The content of a page."""
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "path": path, "method": "GET", "headers": []}
    asyncio.run(application(scope, receive, send))
    assert sent[0]["status"] == 200
    return sent[1]["body"].decode()


class Form(HTMLParser):
    """The fields of a page, which loads nothing from elsewhere."""

    def __init__(self, page):
        super().__init__()
        self.inputs, self.area, self.classes = {}, None, None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert not {"src", "srcset"} & values.keys() and tag not in ("link", "iframe", "img")
        assert not re.match("[a-z]+:", values.get("href", "")), values
        if tag == "form":
            self.classes = json.loads(values["data-classes"])
        if "data-column" in values:
            self.inputs[values["data-column"]] = values["value"]
        if tag == "textarea":
            self.area = ""

    def handle_data(self, data):
        if self.area == "" and self.lasttag == "textarea":
            self.area = data


def test_the_form_of_a_table_has_its_columns(table):
    form = Form(get(Application(table), "/"))
    assert list(form.inputs) == NAMES and form.classes == ["no", "yes"]
    record = {name: value if name == NAMES[1] else float(value) for name, value in form.inputs.items()}
    ((status, content),) = answers(Application(table), json.dumps({"dataframe_records": [record]}).encode())
    assert status == 200 and content["predictions"][0] in form.classes


@pytest.mark.parametrize("kind", ["images", "series"])
def test_the_form_of_others_holds_csv_that_is_answered(kind, request):
    run = request.getfixturevalue(kind)
    form = Form(get(Application(run), "/"))
    ((status, content),) = answers(Application(run), form.area.encode(), kind="text/csv")
    assert status == 200 and len(content["predictions"]) == (1 if kind == "images" else 4), content


@pytest.mark.parametrize("kind", KINDS)
def test_the_document_is_openapi_and_its_example_is_answered(kind, request):
    run = request.getfixturevalue(kind)
    document = json.loads(get(Application(run), "/openapi.json"))
    assert document == openapi_of(run) and document["openapi"].startswith("3.1")
    assert set(document["paths"]) == set(Application(run).paths)
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names)
    example = document["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["example"]
    ((status, content),) = answers(Application(run), json.dumps(example).encode())
    assert status == 200, content
    page = get(Application(run), "/docs")
    Form(page)
    assert all(f" {path}</h2>" in page for path in document["paths"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_document_is_valid(kind, request):
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(openapi_of(request.getfixturevalue(kind)))


# Requests that are predicted together


def drawn_request(draw):
    """A body, right or wrong."""
    ages = [30, 61.5, None, "44", "x", 2**60, True, [1]]
    cities = ["Bern", "Oslo", "<b>", "unseen", None, 3, 1.5]
    codes = [0, 1, 2.0, "1", 9, None, "?"]
    usual = draw.random() < 0.7
    rows = [
        [draw.choice(ages[:2] if usual else ages), draw.choice(cities[:3] if usual else cities), draw.choice(codes[:2] if usual else codes)]
        for _ in range(draw.choice([1, 1, 1, 3, 40]))
    ]
    names = NAMES if draw.random() < 0.8 else draw.choice([NAMES[::-1], NAMES[:2], [*NAMES, "more"]])
    if draw.random() < 0.5:
        rows = [[*row, 1][: len(names)] for row in rows]
        content = {"dataframe_split": {"columns": names, "data": rows}}
    else:
        content = {"inputs": rows}
    if draw.random() < 0.3:
        content["params"] = {"proba": True}
    return json.dumps(content).encode()


def test_requests_together_have_the_answers_of_each_alone(table):
    draw = random.Random(1)
    for _ in range(6):
        bodies = [drawn_request(draw) for _ in range(30)]
        alone = [answers(Application(table), body)[0] for body in bodies]
        together = answers(Application(table), *bodies)
        assert {status for status, _ in alone} == {200, 400}
        for (status, content), (other_status, other) in zip(together, alone, strict=True):
            assert status == other_status and content.keys() == other.keys()
            if status == 200 and content["predictions"] and isinstance(content["predictions"][0], list):
                assert np.allclose(content["predictions"], other["predictions"], atol=1e-6)
            else:
                assert content == other


def test_series_are_not_mixed(series):
    example = openapi_of(series)["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["example"]
    body = json.dumps(example).encode()
    (alone,), together = answers(Application(series), body), answers(Application(series), *[body] * 3)
    assert together == [alone] * 3


def test_a_failure_reaches_all_who_wait(table, monkeypatch):
    monkeypatch.setattr(type(table), "predictions", lambda *_: 1 / 0)
    body = json.dumps({"inputs": [[30, "Bern", 1]]}).encode()
    assert [status for status, _ in answers(Application(table), *[body] * 3)] == [500] * 3


def test_a_slow_prediction_does_not_stop_the_server(images, monkeypatch):
    """Predictions that take long run in a thread, also single ones."""
    threads, predict = [], type(images).predictions

    def slow(self, inputs, proba=False):
        threads.append(threading.current_thread() is threading.main_thread())
        threading.Event().wait(0.02)
        return predict(self, inputs, proba)

    monkeypatch.setattr(type(images), "predictions", slow)
    application, body = Application(images), json.dumps({"inputs": [[1, 2, 3, 4]]}).encode()
    for _ in range(3):
        assert answers(application, body)[0][0] == 200
    assert threads == [False] * 3


def test_two_hundred_clients_lose_nothing(table):
    pytest.importorskip("uvicorn")
    from tests.test_serve_limits import listening

    body = json.dumps({"inputs": [[30, "Bern", 1]]}).encode()
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def client(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        statuses = []
        for _ in range(5):
            writer.write(head + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(re.search(rb"content-length: (\d+)", answer)[1]))
            statuses.append(answer.split()[1])
        writer.close()
        return statuses

    async def scenario():
        async with listening(Application(table)) as (port, _):
            return await asyncio.gather(*[client(port) for _ in range(200)])

    assert {status for statuses in asyncio.run(scenario()) for status in statuses} == {b"200"}


# Parquet


def test_a_body_of_parquet_without_pyarrow(table, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    ((status, content),) = answers(Application(table), b"PAR1", kind="application/vnd.apache.parquet")
    assert status == 415 and "pyarrow" in content["message"]


def parquet(**columns):
    pyarrow, files = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    sink = pyarrow.BufferOutputStream()
    files.write_table(pyarrow.table(columns), sink)
    return sink.getvalue().to_pybytes()


def ask_parquet(run, body, **limits):
    return answers(Application(run, Limits(**limits)), body, kind="application/vnd.apache.parquet")[0]


def test_a_body_of_parquet_is_answered_as_json_is(table):
    rows = [[30.0, "Bern", 1], [None, "Oslo", 2], [61.0, None, 0]]
    columns = dict(zip(NAMES, map(list, zip(*rows))))
    status, content = ask_parquet(table, parquet(**columns))
    split = json.dumps({"dataframe_split": {"columns": NAMES, "data": rows}}).encode()
    assert (status, content) == answers(Application(table), split)[0] and status == 200


def test_bodies_of_parquet_that_are_refused(table):
    good = parquet(**dict(zip(NAMES, [[30.0], ["Bern"], [1]])))
    for body, status in [(b"PAR1", 400), (good[:-9] + b"x" * 9, 400), (b"", 400), (parquet(age=[[1.0]]), 400), (parquet(age=[1.0]), 400)]:
        assert ask_parquet(table, body)[0] == status
    many = dict(zip(NAMES, [[30.0] * 50, ["Bern"] * 50, [1] * 50]))
    assert ask_parquet(table, parquet(**many), rows=10)[0] == 413
    assert ask_parquet(table, parquet(**many), values=100)[0] == 413


def test_a_text_that_is_repeated_takes_no_memory(table):
    """A million copies of a long text are a few kilobytes in Parquet, but not in memory."""
    body = parquet(**{NAMES[0]: [1.0] * 50_000, NAMES[1]: ["x" * 100_000] * 50_000, NAMES[2]: [1] * 50_000})
    assert len(body) < 2**22
    status, content = ask_parquet(table, body)
    assert status == 413 and "texts" in content["message"]
