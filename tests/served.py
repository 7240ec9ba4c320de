"""Servers of other packages, for the duration of a test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request


@contextlib.contextmanager
def server(command, address, log, seconds=300, **environment):
    """Run a command of this environment until the block ends; the block starts when `address` answers."""
    paths = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": paths, **environment},
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + seconds
        while not answers(address):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-3000:]
            time.sleep(0.2)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


def answers(address):
    """Whether a GET request succeeds."""
    try:
        return request(address)[0] == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def request(address, body=None, kind="application/json"):
    """Status and content of a server's answer, errors included."""
    query = urllib.request.Request(address, body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(query, timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
