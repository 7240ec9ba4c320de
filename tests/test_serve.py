"""``cygrad serve``, as a server process: answers, refusals and shutdown."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
from cygrad import cli
from cygrad.serve import Limits, serve
from cygrad.serve.refusal import Refusal
from cygrad.serve.request import read_request

pytest.importorskip("uvicorn", reason="uvicorn is not installed")

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1])}
JSON, CSV = "application/json", "text/csv"
COLUMNS = [f"x{i}" for i in range(4)]
BODY, ROWS = 50_000, 500  # the limits of the server under test


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of a small model on 4 columns, with classes 3, 5 and 7."""
    cg.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "small"
    config = cg.runs.ImageConfig(
        [4, 8, 3], 0.1, mean=2.0, std=3.0, classes=[3, 5, 7], version=cg.__version__, task="small"
    )
    cg.runs.save(path, cg.runs.ImageRun(cg.train.mlp(config.sizes, 0.1), config))
    return path


@pytest.fixture(scope="module")
def saved(folder):
    return cg.runs.load(folder)


def start(folder, *options):
    """Start a server on a free port; return the process and the port."""
    command = [sys.executable, "-W", "error", "-m", "cygrad", "serve", str(folder), "--port", "0", *options]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    found = re.fullmatch(r"serving .* at http://127\.0\.0\.1:(\d+), press Ctrl-C to stop\n", line)
    if not found:
        process.kill()
        raise AssertionError(line + process.communicate()[1])
    return process, int(found.group(1))


@pytest.fixture(scope="module")
def port(folder):
    process, port = start(folder, "--max-body", str(BODY), "--max-rows", str(ROWS), "--threads", "2")
    try:
        yield port
        process.terminate()
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert "Traceback" not in errors, errors


def ask(port, method, path, body=None, kind=None, **headers):
    """Status, headers and content of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body, {**({"Content-Type": kind} if kind else {}), **headers})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def post(port, content, kind=JSON):
    status, _, body = ask(
        port, "POST", "/invocations", content if isinstance(content, (bytes, str)) else json.dumps(content), kind
    )
    return status, json.loads(body)


def drawn(count, seed=0):
    return np.random.default_rng(seed).normal(2, 3, (count, 4)).round(3)


# Answers


@pytest.mark.parametrize("path", ["/health", "/ping"])
def test_health(port, path):
    status, headers, body = ask(port, "GET", path)
    assert (status, headers["content-type"], body) == (200, JSON, b"\n")
    assert ask(port, "HEAD", path)[0] == 200


def test_version(port):
    assert ask(port, "GET", "/version")[2].decode() == cg.__version__


def test_metadata(port):
    status, _, body = ask(port, "GET", "/metadata")
    content = json.loads(body)
    assert status == 200
    assert content["classes"] == [3, 5, 7] and content["columns"] == 4 and content["task"] == "small"
    assert content["limits"] == {"body": BODY, "rows": ROWS, "seconds": 60}


def forms(rows):
    """The same rows in every request format: (content, type)."""
    values = rows.tolist()
    named = [dict(zip(COLUMNS, row)) for row in values]
    text = "\n".join([",".join(COLUMNS), *(",".join(map(repr, row)) for row in values)])
    return {
        "split": ({"dataframe_split": {"columns": COLUMNS, "data": values}}, JSON),
        "split with index": (
            {"dataframe_split": {"columns": COLUMNS, "index": list(range(len(rows))), "data": values}},
            JSON,
        ),
        "split without names": ({"dataframe_split": {"data": values}}, JSON),
        "split, numbered": ({"dataframe_split": {"columns": [0, 1, 2, 3], "data": values}}, JSON),
        "records": ({"dataframe_records": named}, JSON),
        "instances": ({"instances": values}, JSON),
        "instances as records": ({"instances": named}, JSON),
        "inputs": ({"inputs": values}, JSON),
        "inputs by name": ({"inputs": dict(zip(COLUMNS, rows.T.tolist()))}, JSON),
        "charset": ({"inputs": values}, f"{JSON}; charset=utf-8"),
        "csv": (text, CSV),
        "csv, Windows": (text.replace("\n", "\r\n") + "\r\n", "Text/CSV; charset=UTF-8"),
    }


@pytest.mark.parametrize("name", forms(drawn(1)))
def test_predictions_in_every_form(port, saved, name):
    rows = drawn(20)
    content, kind = forms(rows)[name]
    status, answer = post(port, content, kind)
    assert status == 200, answer
    assert answer == {"predictions": saved.classes(rows.astype(np.float32)).tolist()}
    assert len(set(answer["predictions"])) > 1


def test_probabilities(port, saved):
    rows = drawn(5)
    status, answer = post(port, {"inputs": rows.tolist(), "params": {"proba": True}})
    assert status == 200
    np.testing.assert_array_equal(np.float32(answer["predictions"]), saved.probabilities(rows.astype(np.float32)))


@pytest.mark.parametrize("name", [name for name in forms(drawn(1)) if name != "csv, Windows"])
def test_mlflow_parses_the_same_table(name):
    """MLflow's own server parses each format to the same table."""
    server = pytest.importorskip("mlflow.pyfunc.scoring_server", reason="mlflow is not installed")
    rows = drawn(3)
    content, kind = forms(rows)[name]
    if kind == CSV:
        theirs = server.parse_csv_input(__import__("io").StringIO(content))
    else:
        theirs = server.infer_and_parse_data(server._split_data_and_params(json.dumps(content))[0])
    if isinstance(theirs, dict):
        theirs = np.stack([np.asarray(column) for column in theirs.values()], 1)
    text = content if isinstance(content, str) else json.dumps(content)
    np.testing.assert_array_equal(np.float64(read_request(text.encode(), kind, ROWS).rows), np.asarray(theirs))


def test_concurrent_requests_get_their_own_answers(port, saved):
    def one(seed):
        rows = drawn(100, seed)
        return post(port, {"inputs": rows.tolist()}), saved.classes(rows.astype(np.float32)).tolist()

    with ThreadPoolExecutor(8) as pool:
        for (status, answer), wanted in pool.map(one, range(60)):
            assert (status, answer) == (200, {"predictions": wanted})


def test_a_connection_is_kept_alive(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for _ in range(3):
        connection.request("POST", "/invocations", json.dumps({"inputs": drawn(2).tolist()}), {"Content-Type": JSON})
        answer = connection.getresponse()
        assert answer.status == 200 and len(json.loads(answer.read())["predictions"]) == 2
    connection.close()


# Refusals

BAD = {
    "not JSON": ("{", 400, "the body is not valid JSON (Expecting property name"),
    "nothing": ("", 400, "the body is not valid JSON (Expecting value"),
    "not UTF-8": (b"\xff\xfe", 400, "the body is not valid UTF-8 at byte 0"),
    "deep": ("[" * 20_000, 400, "the JSON is nested too deeply"),
    "NaN": ('{"inputs": [[1, 2, NaN, 4]]}', 400, "the body is not valid JSON (NaN is not a JSON number)"),
    "long number": ('{"inputs": [[1, 2, 3, ' + "9" * 5000 + "]]}", 400, "the JSON contains an integer with too many digits"),
    "huge number": ({"inputs": [[1, 2, 3, 10**400]]}, 400, "predict: row 1, column 4: '1000000"),
    "beyond float32": ({"inputs": [[1, 2, 3, 4], [1, 2, 3, 1e300]]}, 400, "predict: row 2 contains a value that is not finite"),
    "infinite": ('{"inputs": [[1, 2, 3, 1e999]]}', 400, "predict: row 1 contains a value that is not finite"),
    "a list": ([1], 400, "the body must be a JSON object, got an array"),
    "a line break in a name": ({"dataframe_split": {"colu\nmns": 1, "data": []}}, 400, "dataframe_split must be an object with data and optional columns and index, got colu mns, data"),
    "no field": ({}, 400, "the JSON object must have exactly one of dataframe_split, dataframe_records, instances, inputs, got none"),
    "two fields": ({"inputs": [], "instances": []}, 400, "the JSON object must have exactly one of"),
    "another field": ({"inputs": [[1, 2, 3, 4]], "x": 1}, 400, 'may have inputs and params, got "x"'),
    "a name twice": ('{"inputs": [[1]], "inputs": [[1]]}', 400, 'an object has the name "inputs" twice'),
    "no rows": ({"inputs": []}, 400, "the request has no rows"),
    "no records": ({"dataframe_records": []}, 400, "the request has no rows"),
    "empty rows": ({"inputs": [[], []]}, 400, "predict: the rows have 0 columns, but the model expects 4 columns"),
    "a number": ({"inputs": 3}, 400, "inputs must be an array of rows, got a number"),
    "one row": ({"inputs": [1, 2, 3, 4]}, 400, "inputs must be an array of rows, got an array of other values"),
    "three axes": ({"inputs": [[[1, 2, 3, 4]]]}, 400, "row 1 of inputs must contain numbers or strings, got an array"),
    "too few columns": ({"inputs": [[1, 2, 3]]}, 400, "predict: the rows have 3 columns, but the model expects 4 columns"),
    "too many columns": ({"inputs": [[1] * 5000]}, 400, "predict: the rows have 5000 columns, but the model expects 4 columns"),
    "ragged": ({"inputs": [[1, 2, 3, 4], [1, 2, 3]]}, 400, "row 2 has 3 values, expected 4"),
    "text": ({"inputs": [[1, 2, 3, "four"]]}, 400, "predict: row 1, column 4: 'four' is not a number"),
    "null": ({"dataframe_records": [dict.fromkeys(COLUMNS)]}, 400, "predict: row 1, column 'x0': 'None' is not a number"),
    "split, a list": ({"dataframe_split": [[1]]}, 400, "dataframe_split must be an object with data and optional columns and index, got an array"),
    "split, no data": ({"dataframe_split": {"columns": COLUMNS}}, 400, "dataframe_split must be an object with data"),
    "split, other names": ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, 400, "row 1 has 2 values, expected 1"),
    "split, names twice": ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, 400, 'the request has the column "a" twice'),
    "split, no names": ({"dataframe_split": {"columns": 3, "data": [[1, 2]]}}, 400, "dataframe_split.columns must be an array of names, got a number"),
    "records, rows": ({"dataframe_records": [[1]]}, 400, "dataframe_records must be an array of objects, got an array of other values"),
    "records, one lacks": ({"dataframe_records": [{"a": 1}, {}]}, 400, 'record 2 of dataframe_records lacks the column "a"'),
    "records, one has": ({"dataframe_records": [{"a": 1}, {"a": 1, "b": 2}]}, 400, 'record 2 of dataframe_records has a column that the first one lacks: "b"'),
    "records, empty": ({"dataframe_records": [{}]}, 400, "the request has no columns"),
    "inputs, ragged": ({"inputs": {"a": [1], "b": [1, 2]}}, 400, 'column "b" of inputs has 2 values, the first column has 1'),
    "inputs, numbers": ({"inputs": {"a": 1}}, 400, 'column "a" of inputs must be an array, got a number'),
    "params": ({"inputs": [[1, 2, 3, 4]], "params": {"seed": 1}}, 400, 'params may contain proba, true or false, got {"seed": 1}'),
    "params, a list": ({"inputs": [[1, 2, 3, 4]], "params": [1]}, 400, "params must be a JSON object, got an array"),
    "rows": ({"inputs": [[1, 2, 3, 4]] * (ROWS + 1)}, 413, f"a request may have at most {ROWS} rows, got {ROWS + 1}"),
    "body": (b" " * (BODY + 1), 413, f"the body may have at most {BODY} bytes"),
    "huge body": (b" " * 40_000_000, 413, f"the body may have at most {BODY} bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_json_is_refused_with_a_message(port, name):
    content, status, message = BAD[name]
    got, answer = post(port, content)
    assert (got, answer.keys()) == (status, {"error_code", "message"})
    assert answer["error_code"] == "BAD_REQUEST"
    assert message in answer["message"] and "\n" not in answer["message"]
    assert len(answer["message"]) < 300
    assert ask(port, "GET", "/health")[0] == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the body is empty"),
        ("a,b,c,d\n", "the request has no rows"),
        ("a,b,c,d\n1,2,3\n", "row 1 has 3 values, expected 4"),
        ("a,b,c,d\n1,2,3,x\n", "predict: row 1, column 'd': 'x' is not a number"),
        ("a,b,c,d\n1,2,3,\n", "predict: row 1, column 'd': '' is not a number"),
        ("a,b,c,d\n1,2,3,nan\n", "predict: row 1, column 'd': 'nan' is not a number"),
        ("a,b,c,d\n1,2,3,inf\n", "predict: row 1 contains a value that is not finite"),
        ("a,a,c,d\n1,2,3,4\n", 'the request has the column "a" twice'),
        ('a,b,c,"d\n1,2,3,4\n', "the body is not valid CSV ("),
    ],
)  # fmt: skip
def test_bad_csv_is_refused_with_a_message(port, text, message):
    status, answer = post(port, text, CSV)
    assert status == 400 and message in answer["message"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (None, "the content type must be application/json, text/csv or application/vnd.apache.parquet, got none"),
        ("text/plain", "the content type must be application/json, text/csv or application/vnd.apache.parquet, got text/plain"),
        ("application/json; charset=latin-1", "the content type may only have the parameter charset=utf-8"),
        ("text/csv; header=absent", "the content type may only have the parameter charset=utf-8"),
    ],
)
def test_other_content_types(port, kind, message):
    status, answer = post(port, {"inputs": [[1, 2, 3, 4]]}, kind)
    assert status == 415 and message in answer["message"]


def test_a_compressed_body_is_refused(port):
    status, _, body = ask(port, "POST", "/invocations", b"\x1f\x8b", JSON, **{"Content-Encoding": "gzip"})
    assert (
        status == 415
        and json.loads(body)["message"] == "the body must not be compressed, got the content encoding gzip"
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/x", 404, "there is no path /x; the paths are /, /docs, /openapi.json, /health, /ping, /version, /metadata"),
        ("POST", "/", 405, "/ accepts GET and HEAD, got POST"),
        ("GET", "/" + "x" * 1000, 404, "there is no path /xxx"),
        ("GET", "/invocations", 405, "/invocations accepts POST, got GET"),
        ("POST", "/health", 405, "/health accepts GET and HEAD, got POST"),
        ("OPTIONS", "/invocations", 405, "/invocations accepts POST, got OPTIONS"),
    ],
)  # fmt: skip
def test_other_paths_and_methods(port, method, path, status, message):
    got, headers, body = ask(port, method, path)
    assert got == status and message in json.loads(body)["message"]
    assert ("allow" in headers) == (status == 405)


def answer_on(connection):
    """Status and content of the answer on a connection."""
    with contextlib.closing(http.client.HTTPResponse(connection)) as answer:
        answer.begin()
        return answer.status, answer.read()


HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /health HTTP/9\r\n\r\n", 400),
        (HEAD + b"Content-Length: many\r\n\r\n", 400),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 10 + b"0\r\n\r\n", 413),
        # A client that waits for permission to send the body is refused.
        (HEAD + b"Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n", 413),
    ],
)  # fmt: skip
def test_malformed_http(port, request_, status):
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(request_)
        got, content = answer_on(connection)
    assert got == status and content
    assert ask(port, "GET", "/health")[0] == 200


def test_an_endless_header_is_cut_off(port):
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection, contextlib.suppress(ConnectionError):
        for _ in range(1000):
            connection.sendall(b"X" * 65536)
        pytest.fail("the server reads on")
    assert ask(port, "GET", "/health")[0] == 200


def test_clients_that_disconnect_or_stall_do_no_harm(port):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as gone:
            gone.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
    with socket.create_connection(("127.0.0.1", port)) as idle:
        idle.sendall(HEAD[:20])
        assert post(port, {"inputs": drawn(3).tolist()})[0] == 200


def test_a_body_that_does_not_arrive(folder, saved):
    """In this process, because the command has no option for this limit."""
    import asyncio

    from cygrad.serve import Application

    sent = []

    async def never():
        await asyncio.sleep(300)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": "/invocations", "method": "POST", "headers": []}
    asyncio.run(Application(saved, Limits(seconds=0.05))(scope, never, send))
    assert sent[0]["status"] == 408
    assert b"the body did not arrive within 0.05 seconds" in sent[1]["body"]


def test_heads_that_do_not_arrive_are_cut_off(saved):
    """Heads of a first request, of an incomplete one, and of the next on a connection; other requests are answered."""
    import asyncio

    uvicorn = pytest.importorskip("uvicorn")
    from uvicorn.server import ServerState

    from cygrad.serve import Application
    from cygrad.serve.protocol import Protocol

    class Quick(Protocol):
        seconds = 0.2

    config = uvicorn.Config(Application(saved), http=Quick, ws="none", lifespan="off", log_level="warning")
    config.load()
    state = ServerState()

    async def talk(port, *parts):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answer = asyncio.create_task(reader.read())
        for part in parts:
            if not answer.done():
                writer.write(part)
                await asyncio.sleep(0.15)  # each part well before the time is up
        await answer
        writer.close()
        return answer.result()

    async def scenario():
        protocol = lambda: Quick(config=config, server_state=state, app_state={})  # noqa: E731
        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            head, ask = b"GET /health HTTP/1.1\r\nHost: a\r\n", b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
            body = HEAD + b"Content-Length: 4\r\n\r\n"
            return await asyncio.gather(
                talk(port),
                talk(port, head, b"A: b\r\n", b"C: d\r\n"),
                talk(port, ask, head, b"A: b\r\n"),
                talk(port, body, b"1", b"2", b"3", b"4"),
            )

    nothing, partial, next_one, body = asyncio.run(scenario())
    for answer in nothing, partial:
        assert answer.startswith(b"HTTP/1.1 408 ") and b"the head of a request did not arrive" in answer
    assert next_one.startswith(b"HTTP/1.1 200 ") and next_one.count(b"HTTP/1.1 408 ") == 1
    assert body.startswith(b"HTTP/1.1 400 ") and b"got a number" in body and not state.connections


def test_an_internal_error_is_500_without_details(saved, caplog, monkeypatch):
    import asyncio

    from cygrad.serve import Application

    def fail(*arguments):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(type(saved), "classes", fail)
    body = json.dumps({"inputs": [[1, 2, 3, 4]]}).encode()
    sent = []

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        sent.append(message)

    headers = [(b"Content-Type", b"application/json")]
    scope = {"type": "http", "path": "/invocations", "method": "POST", "headers": headers}
    asyncio.run(Application(saved)(scope, receive, send))
    assert sent[0]["status"] == 500 and b"secret" not in sent[1]["body"]
    assert json.loads(sent[1]["body"])["error_code"] == "INTERNAL_ERROR"
    assert "ZeroDivisionError: secret" in caplog.text


# Start and shutdown


@pytest.mark.skipif(os.name == "nt", reason="signals can't be sent to one process on Windows")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_after_the_requests_in_progress(folder, number):
    process, port = start(folder)
    body = json.dumps({"inputs": drawn(2).tolist()}).encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body[:5])
            assert ask(port, "GET", "/health")[0] == 200  # so the other request is in progress
            process.send_signal(number)
            time.sleep(0.5)
            connection.sendall(body[5:])
            status, content = answer_on(connection)
            assert status == 200 and b"predictions" in content
        out, errors = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == (0 if number == signal.SIGINT else -signal.SIGTERM)
    assert (out, errors) == ("", "")
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", port), timeout=120)


def failure(capsys, *arguments):
    assert cli.main(["serve", *arguments]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("cygrad: ") and printed.err.count("\n") == 1
    return printed.err[len("cygrad: ") : -1]


def test_serve_reports_errors(capsys, folder, tmp_path, port, monkeypatch):
    taken = failure(capsys, str(folder), "--port", str(port))
    assert taken == f"serve: can't listen on 127.0.0.1:{port} (Address already in use)"
    assert failure(capsys, str(tmp_path)) == f"runs.load: {tmp_path} is not a run folder: config.json is missing"
    assert failure(capsys, str(folder), "--port", "99999") == "serve: port must lie in 0 to 65535, got 99999"
    assert "serve: no.such.host.invalid:5000 is not a valid address" in failure(
        capsys, str(folder), "--host", "no.such.host.invalid"
    )
    assert failure(capsys, str(folder), "--max-body", "0") == "serve: the limit of body must be above 0, got 0"
    assert failure(capsys, str(folder), "--max-rows", "-1") == "serve: the limit of rows must be above 0, got -1"
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert failure(capsys, str(folder)) == "serve: the server needs the package uvicorn: pip install 'cygrad[serve]'"


def test_it_listens_on_loopback_by_default(folder):
    options = cli.parser().parse_args(["serve", str(folder)])
    assert options.host == "127.0.0.1"
    assert serve.__defaults__[0] == "127.0.0.1"


def test_refusals_are_exceptions_with_a_status():
    with pytest.raises(Refusal, match="the request has no rows") as caught:
        read_request(b'{"inputs": []}', JSON, 10)
    assert caught.value.status == 400
