"""Starts a server with the published model and compares its predictions with those of the training; exits with code 1
if they differ.

``--stay`` keeps the server running until Ctrl-C.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

from project import EVALUATION, RUN

SERVE = [sys.executable, "-m", "cygrad", "serve", RUN, "--port", "0"]  # any free port, reachable from this machine only


def address_of(server: subprocess.Popen[str]) -> str:
    """The server's address, from the line that it prints when it is ready."""
    for line in server.stdout or ():
        print(line, end="")
        if match := re.search(r"http://\S+:\d+", line):
            return match.group()
    raise SystemExit("deploy: the server exited before it was ready")


def request(address: str, content: object | None = None) -> bytes:
    """The response to a GET, or to a POST of JSON."""
    body = None if content is None else json.dumps(content).encode()
    message = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(message, timeout=30) as response:
        return response.read()


def main() -> int:
    sample = json.loads(Path(EVALUATION, "sample.json").read_text(encoding="utf-8"))
    server = subprocess.Popen(SERVE, stdout=subprocess.PIPE, text=True)
    try:
        address = address_of(server)
        request(f"{address}/health")
        predictions = json.loads(request(f"{address}/invocations", {"inputs": sample["rows"]}))["predictions"]
        equal = predictions == sample["predictions"]
        verb = "match" if equal else "do not match"
        print(f"{len(predictions)} predictions {verb} those of the trained model: {predictions}")
        if "--stay" in sys.argv:
            server.wait()
        return 0 if equal else 1
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    sys.exit(main())
