"""Starts the server on the published model, and asks it for predictions that are known: exit code 1 where one differs.

``--stay`` leaves the server running afterwards, until Ctrl-C.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

from project import EVALUATION, RUN

SERVE = [sys.executable, "-m", "cygrad", "serve", RUN, "--port", "0"]  # a free port, on this machine alone


def address_of(server: subprocess.Popen[str]) -> str:
    """Where the server listens: the line that it prints when it does."""
    for line in server.stdout or ():
        print(line, end="")
        if found := re.search(r"http://\S+:\d+", line):
            return found.group()
    raise SystemExit("deploy: the server ended before it listened")


def ask(address: str, content: object | None = None) -> bytes:
    """What the server answers to a GET, or to a POST of JSON."""
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def main() -> int:
    sample = json.loads(Path(EVALUATION, "sample.json").read_text(encoding="utf-8"))
    server = subprocess.Popen(SERVE, stdout=subprocess.PIPE, text=True)
    try:
        address = address_of(server)
        ask(f"{address}/health")
        answer = json.loads(ask(f"{address}/invocations", {"inputs": sample["rows"]}))["predictions"]
        same = answer == sample["predictions"]
        print(f"{len(answer)} predictions, {'as' if same else 'not as'} the trained model gave them: {answer}")
        if "--stay" in sys.argv:
            server.wait()
        return 0 if same else 1
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    sys.exit(main())
