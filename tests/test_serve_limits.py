"""The limits of ``cygrad serve``: memory, time and slow clients, in both directions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

import cygrad as cg
from cygrad.serve import Application, Limits
from cygrad.serve.refusal import Refusal
from cygrad.serve.request import read_request
from tests.limits import allocated
from tests.test_serve import CSV, HEAD, JSON, answer_on, ask, start

uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of a small model on 4 columns."""
    path = tmp_path_factory.mktemp("run") / "small"
    config = cg.runs.ImageConfig([4, 8, 3], 0.0, mean=2.0, std=3.0, classes=[3, 5, 7], version=cg.__version__)
    cg.runs.save(path, cg.runs.ImageRun(config.network(), config))
    return path


@pytest.fixture(scope="module")
def saved(folder):
    return cg.runs.load(folder)


def filled(head, part, tail, size):
    """A body of about `size` bytes: a part, repeated."""
    return (head + part * ((size - len(head) - len(tail)) // len(part))).rstrip(",") + tail


def numbered(head, part, tail, size):
    """The same with another number in each part."""
    return head + ",".join(part % number for number in range(size // (len(part % 10**6) + 1))) + tail


def bodies(size):
    """Bodies that ask for much more memory than they take, by name."""
    return {
        "rows of one": (JSON, filled('{"inputs":[', "[0],", "]}", size)),
        "empty rows": (JSON, filled('{"instances":[', "[],", "]}", size)),
        "empty records": (JSON, filled('{"dataframe_records":[', "{},", "]}", size)),
        "records": (JSON, filled('{"dataframe_records":[', '{"a":0},', "]}", size)),
        "split": (JSON, filled('{"dataframe_split":{"data":[', "[0],", "]}}", size)),
        "index": (JSON, filled('{"dataframe_split":{"data":[[0]],"index":[', "[0],", "]}}", size)),
        "values": (JSON, filled('{"inputs":[[', "0.1,", "]]}", size)),
        "texts": (JSON, filled('{"inputs":[[', '"ab",', "]]}", size)),
        "columns": (JSON, numbered('{"inputs":{', '"%06d":[]', "}}", size)),
        "names": (JSON, numbered('{"inputs":[[{', '"%06d":0', "}]]}", size)),
        "params": (JSON, numbered('{"inputs":[[0]],"params":{', '"%06d":0', "}}", size)),
        "nested": (JSON, filled('{"inputs":', "[", "", size)),
        "lines": (CSV, filled("a\n", "0\n", "", size)),
        "blank lines": (CSV, filled("a\n", "\n", "", size)),
        "fields": (CSV, filled("a\n", "10,", "", size)),
        "field names": (CSV, numbered("", "%06d", "\n", size)),
    }


# Memory


@pytest.mark.parametrize("name", bodies(1000))
def test_a_body_is_refused_before_it_takes_much_memory(name):
    """With limits for the body's size as those of the server are for its own, less than 16 times its size."""
    kind, text = bodies(2**21)[name]
    body = text.encode()
    with allocated() as bytes_of, contextlib.suppress(Refusal):
        read_request(body, kind, 12_500, 2**18)
    assert bytes_of() < 16 * len(body)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ('{"inputs": [' + "[0]," * 200_000 + "[0]]}", JSON, "a request may have at most 10 rows"),
        ('{"inputs": [[' + "0," * 200_000 + "0]]}", JSON, "a request may have at most 1000 values"),
        ('{"inputs": {' + ",".join(f'"{i}":[]' for i in range(100_001)) + "}}", JSON, "an object may have at most 100000 names"),
        ("a\n" + "0\n" * 12, CSV, "a request may have at most 10 rows"),
        ("a" + ",0" * 2000, CSV, "a request may have at most 1000 values"),
        (",".join(map(str, range(100_001))), CSV, "a request may have at most 100000 columns with names"),
    ],
)  # fmt: skip
def test_sizes_are_refused_with_413(text, kind, message):
    with pytest.raises(Refusal) as caught:
        read_request(text.encode(), kind, 10, 1000 if "columns" not in message else 10**6)
    assert (caught.value.status, str(caught.value)) == (413, message)


def test_brackets_and_colons_inside_of_strings_do_not_count():
    rows = [['[{"]\\', ":" * 200_000, "[" * 200_000]]
    assert read_request(json.dumps({"inputs": rows}).encode(), JSON, 10).rows == rows
    text = f'a\n"{"[:" * 60_000}"\n' * 5
    assert read_request(text.encode(), CSV, 10).rows == [["[:" * 60_000], ["a"]] * 4 + [["[:" * 60_000]]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_is_bounded_and_others_are_answered_under_load(folder):
    """Six clients send the largest bodies at once, of several kinds."""
    process, port = start(folder)
    try:
        ask(port, "POST", "/invocations", '{"inputs":[[1,2,3,4]]}', JSON)
        before, kinds = peak_of(process.pid), bodies(2**24)
        chosen = [kinds[name] for name in ("rows of one", "values", "names", "lines", "texts", "index")]
        clients = [threading.Thread(target=ask_quietly, args=(port, text.encode(), kind)) for kind, text in chosen]
        for client in clients:
            client.start()
        slowest, started = 0.0, time.perf_counter()
        while any(client.is_alive() for client in clients):
            begun = time.perf_counter()
            assert ask(port, "GET", "/health")[0] == 200
            slowest = max(slowest, time.perf_counter() - begun)
            time.sleep(0.02)
        assert peak_of(process.pid) - before < 400
        assert slowest < max(5, (time.perf_counter() - started) / 4)  # of a busy machine's time a part
    finally:
        process.kill()
        process.communicate()


def ask_quietly(port, body, kind):
    with contextlib.suppress(OSError):
        ask(port, "POST", "/invocations", body, kind)


def peak_of(process):
    """The most memory that a process has used, in MB."""
    return int(re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{process}/status").read_text())[1]) // 1024


# One application, without a server


def answers(application, *bodies, kind=JSON, refused=None):
    """The statuses and contents of requests that arrive at once. Sets an event when one is refused."""

    async def one(body):
        sent, parts = [], list(body) if isinstance(body, list) else [body]

        async def receive():
            await asyncio.sleep(0)
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message):
            sent.append(message)

        headers = [(b"content-type", kind.encode())]
        scope = {"type": "http", "path": "/invocations", "method": "POST", "headers": headers}
        await application(scope, receive, send)
        if refused is not None and sent[0]["status"] == 503:
            refused.set()
        return sent[0]["status"], json.loads(sent[1]["body"])

    async def everyone():
        return await asyncio.gather(*map(one, bodies))

    return asyncio.run(everyone())


def before_predictions(run, monkeypatch, call):
    """Call something before every prediction."""
    predict = type(run).predictions

    def predictions(self, inputs, proba=False):
        call()
        return predict(self, inputs, proba)

    monkeypatch.setattr(type(run), "predictions", predictions)


def rows(count):
    return json.dumps({"inputs": [[1.0, 2.0, 3.0, 4.0]] * count}).encode()


def test_the_work_of_a_request_is_bounded_in_time(saved, monkeypatch):
    calls = []
    before_predictions(saved, monkeypatch, lambda: calls.append(time.sleep(0.1)))
    ((status, content),) = answers(Application(saved, Limits(work=0.25)), rows(50_000))
    assert status == 503 and content["message"] == "the request takes more than 0.25 seconds; send fewer rows at a time"
    assert len(calls) <= 3
    ((status, content),) = answers(Application(saved, Limits(work=60)), rows(3000))
    assert status == 200 and len(content["predictions"]) == 3000


def test_large_requests_wait_for_each_other_and_small_ones_do_not(saved, monkeypatch):
    alone, calls = threading.Lock(), []

    def by_itself():
        assert alone.acquire(blocking=False)
        time.sleep(0.1)
        alone.release()

    large = rows(100)
    limits = Limits(body=len(large) + 10)
    with monkeypatch.context() as patch:
        before_predictions(saved, patch, by_itself)
        assert [status for status, _ in answers(Application(saved, limits), large, large, large)] == [200] * 3
    before_predictions(saved, monkeypatch, lambda: calls.append(1))
    assert [status for status, _ in answers(Application(saved, limits), *[rows(1)] * 3)] == [200] * 3
    assert len(calls) == 1  # predicted together


def test_a_request_that_waits_too_long_for_others_is_refused(saved, monkeypatch):
    refused = threading.Event()
    before_predictions(saved, monkeypatch, lambda: refused.wait(60))
    body = rows(100)
    limits = Limits(body=len(body) + 10, work=1)
    statuses = [status for status, _ in answers(Application(saved, limits), body, body, refused=refused)]
    assert sorted(statuses) == [200, 503]


def test_bodies_that_take_too_much_memory_together_are_refused(saved):
    body = rows(100)
    application = Application(saved, Limits(body=len(body) + 10))
    found = answers(application, *[[body[:-10], body[-10:]]] * 8)
    assert sorted({status for status, _ in found}) == [200, 503]
    assert sum(status == 200 for status, _ in found) >= 4
    assert application.load.held == application.load.working == 0


def test_an_answer_that_is_too_large_is_refused(saved):
    body = b'{"params":{"proba":true},"inputs":[' + b",".join([b"[1,2,3,4]"] * 20_000) + b"]}"
    application = Application(saved, Limits(body=len(body)))
    ((status, content),) = answers(application, body)
    assert status == 413 and "the answer would have more than" in content["message"]


# Clients


@contextlib.asynccontextmanager
async def listening(application, **options):
    """A server of the application in this process, with other limits of the protocol; gives its port and its state."""
    from uvicorn.server import ServerState

    from cygrad.serve.protocol import Protocol

    config = uvicorn.Config(application, http=Protocol, ws="none", lifespan="off", log_level="critical")
    config.load()
    state = ServerState()
    kind = type("Limited", (Protocol,), options)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: kind(config=config, server_state=state, app_state={}), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], state


async def until(condition, seconds=60):
    """Wait until a condition holds."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        await asyncio.sleep(0.02)


async def large_answer(scope, receive, send):
    """An application that answers with more than the buffers of sockets hold."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % 2**25)]})
    await send({"type": "http.response.body", "body": bytes(2**25)})


@pytest.mark.parametrize("reads", ["nothing", "a little"])
def test_a_client_that_does_not_read_is_dropped(reads):
    async def scenario():
        async with listening(large_answer, send_seconds=0.5) as (port, state):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**10)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readline()  # the server has seen the request
            seen, ends = 0, time.monotonic() + 60
            while state.connections:
                assert time.monotonic() < ends and seen < 2**24
                if reads == "a little":
                    seen += len(await reader.read(2**10))
                await asyncio.sleep(0.1)
            writer.close()

    asyncio.run(scenario())


def test_a_client_that_reads_gets_all(saved):
    async def scenario():
        async with listening(large_answer, send_seconds=60) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
        return answer.partition(b"\r\n\r\n")[2]

    assert len(asyncio.run(scenario())) == 2**25


@pytest.mark.parametrize("path", [b"GET /health", b"POST /health", b"POST /nothing"])
def test_a_body_that_nobody_waits_for_and_that_trickles_is_dropped(saved, path):
    async def scenario():
        async with listening(Application(saved), body_seconds=0.5) as (port, state):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(path + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
            assert await reader.readline()
            ends = time.monotonic() + 60
            while state.connections:
                assert time.monotonic() < ends
                writer.write(b"x")
                await asyncio.sleep(0.1)
            writer.close()

    asyncio.run(scenario())


def test_a_body_that_is_late_ends_the_connection(saved):
    async def scenario():
        async with listening(Application(saved, Limits(seconds=0.2))) as (port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(HEAD + b"Content-Length: 1000\r\n\r\n{")
            answer = await asyncio.wait_for(reader.read(), 60)  # to the end of the connection
            writer.close()
        return answer

    answer = asyncio.run(scenario())
    assert answer.startswith(b"HTTP/1.1 408 ") and b"the body did not arrive" in answer


def test_connections_beyond_the_limit_are_refused(saved):
    async def scenario():
        async with listening(Application(saved), most_connections=3) as (port, _):
            some = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            answer = await asyncio.wait_for(reader.read(), 60)
            for _, other in some:
                other.close()
            writer.close()
        return answer

    assert asyncio.run(scenario()).startswith(b"HTTP/1.1 503 ")


def test_small_answers_are_sent_at_once(saved):
    from cygrad.serve.protocol import Protocol
    from cygrad.serve.server import listen

    delays = []

    def made(self, transport):
        Protocol.connection_made(self, transport)
        connection = transport.get_extra_info("socket")
        delays.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async def scenario():
        async with listening(Application(saved), connection_made=made) as (port, _):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            await until(lambda: delays)
            writer.close()

    asyncio.run(scenario())
    assert len(delays) == 1 and delays[0]
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # asyncio looks at it


MALFORMED = [
    b"GET\xff / HTTP/1.1\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\nno number\r\n",
    b"POST /health HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n",
    b"GET /health HTTP/1.0\r\n\r\n\0\xff\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
]


def test_malformed_requests_do_not_fill_the_log(folder):
    """A program that starts the server need not read its log; a full pipe would block all requests."""
    process, port = start(folder)
    try:
        for number in range(200):
            with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
                connection.sendall(MALFORMED[number % len(MALFORMED)])
                if number < 50:
                    time.sleep(0.01)
                    with contextlib.suppress(OSError):
                        connection.sendall(b"\0\xff\r\n\r\n")
                        connection.recv(1000)
        deadline = time.monotonic() + 120
        while ask(port, "GET", "/health")[0] != 200:  # 503 while so many connections are being closed
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=300)
    assert errors == ""


SLOW_SERVER = """
    import sys, time
    from cygrad import runs, serve

    run = runs.load(sys.argv[1])
    predict = type(run).predictions

    def predictions(self, inputs, proba=False):
        print("predicting", flush=True)
        time.sleep(7)
        return predict(self, inputs, proba)

    type(run).predictions = predictions
    serve.serve(run, port=0, started=lambda address: print(address, flush=True))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals can't be sent to one process on Windows")
def test_a_signal_waits_for_what_is_running(folder):
    program = [sys.executable, "-c", textwrap.dedent(SLOW_SERVER), str(folder)]
    with subprocess.Popen(program, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline().rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
                body = rows(1)
                connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
                assert process.stdout.readline() == "predicting\n"
                process.send_signal(signal.SIGTERM)
                status, content = answer_on(connection)
                assert status == 200 and b"predictions" in content
            assert process.wait(120) == -signal.SIGTERM
        finally:
            process.kill()
