"""Requests whose bytes were changed: the server's application answers each with 200 or 4xx and JSON, in time and memory."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Iterator
from typing import Any

from tests.fuzz import Fuzzer, fewer
from tests.fuzz.mutations import draw, mutated

BODIES = [
    '{"dataframe_split": {"columns": ["x", "c"], "index": [0], "data": [[1.5, "a"], [2, null]]}}',
    '{"dataframe_records": [{"x": 1, "c": "b"}, {"c": "a", "x": 2.5}]}',
    '{"instances": [[1, "a"], [2, "b"]], "params": {"proba": true}}',
    '{"inputs": {"x": [1, 2], "c": ["a", "b"]}}',
    '{"inputs": [["1.5", "a"]]}',
    'x,c\n1,a\n2.5,"b"\n',
]  # fmt: skip
WORDS = [
    '"columns"',
    '"data"',
    '"params"',
    '{"proba": false}',
    '"x"',
    "[[",
    "]]",
    '{"x":',
    "null",
    '"\\ud800"',
    "1e400",
    "-0.0",
    "\\u0000",
]
HEADERS = [
    "application/json", "text/csv", "application/json; charset=utf-8", "text/csv;charset=UTF8", "application/json;x=1",
    "", "text/plain", "\xff", "application/json; charset=",
]  # fmt: skip
PATHS = ["/invocations"] * 60 + ["/health", "/metadata", "/version", "/", "/invocations/", "\0", "/\ud800"]


class Requests(Fuzzer[dict[str, Any]]):
    """Requests to the server's application whose bytes were changed."""

    name = "requests"
    quick = 1000
    memory = 1 << 30
    timeout = 20.0

    def start(self) -> None:
        from cygrad.serve import Application, Limits
        from tests.fuzz.files import table_run

        logging.disable()
        self.loop = asyncio.new_event_loop()
        self.application = Application(table_run(), Limits(rows=1000, values=10_000, body=2**20))

    def case(self, rng: random.Random) -> dict[str, Any]:
        kind = rng.choice(["", "", "application/json", "text/csv", rng.choice(HEADERS)])
        number = rng.randrange(len(BODIES))
        return {
            "method": rng.choice(["POST"] * 60 + ["GET", "HEAD", "\0"]),
            "path": rng.choice(PATHS),
            "type": kind or ("text/csv" if number == 5 else "application/json"),
            "parts": rng.randint(1, 4),
            "body": number,
            "edits": draw(rng, WORDS),
        }

    def run(self, case: dict[str, Any]) -> str | None:
        body = mutated(BODIES[case["body"]].encode(), case["edits"])
        size = len(body) // case["parts"] + 1
        parts = [body[start : start + size] for start in range(0, max(len(body), 1), size)]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(b"content-type", case["type"].encode("latin-1"))]
        scope = {"type": "http", "path": case["path"], "method": case["method"], "headers": headers}
        self.loop.run_until_complete(self.application(scope, receive, send))
        status, content = sent[0]["status"], sent[1]["body"]
        self.counts[str(status)] += 1
        if not (status == 200 or 400 <= status < 500):
            return f"status {status}\n{content!r}"
        if case["path"] == "/invocations" and case["method"] == "POST":
            answer = json.loads(content)
            names = {"predictions"} if status == 200 else {"error_code", "message"}
            if set(answer) - {"notes"} != names or ("notes" in answer and status != 200):
                return f"the answer has other names\n{content!r}"
            if status != 200 and (len(answer["message"]) > 600 or "\n" in answer["message"]):
                return f"the message is long\n{answer['message'][:1000]}"
        if self.application.load.held or self.application.load.working:
            return "the body of a request still counts after the answer"
        return None

    def shrink(self, case: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for edits in fewer(case["edits"]):
            yield {**case, "edits": edits}

    def show(self, case: dict[str, Any]) -> str:
        return "\n".join(
            [
                "from tests.fuzz.requests import Requests",
                "fuzzer = Requests()",
                "fuzzer.start()",
                f"problem = fuzzer.run({case!r})",
                "assert problem is None, problem",
            ]
        )


FUZZERS: list[Fuzzer[Any]] = [Requests()]
