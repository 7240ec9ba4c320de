"""The example for Flower: a server and two clients on this machine train one network."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

import cygrad as cg

EXAMPLE = Path(__file__).parents[1] / "examples" / "federated"

if not EXAMPLE.exists():
    pytest.skip("the examples are not next to the tests", allow_module_level=True)
if importlib.util.find_spec("flwr") is None or shutil.which("flower-superlink") is None:
    pytest.skip("Flower is not installed", allow_module_level=True)


def unused_ports(count):
    """Ports of this machine on which nothing listens."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def test_two_clients_train_one_network(tmp_path):
    link, *nodes = unused_ports(3)
    (tmp_path / "config.toml").write_text(
        f'[superlink]\ndefault = "local"\n[superlink.local]\naddress = "127.0.0.1:{link}"\ninsecure = true\n'
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(cg.__file__).resolve().parents[1]),
        "FLWR_HOME": str(tmp_path),
        "FLWR_TELEMETRY_ENABLED": "0",
        "NO_COLOR": "1",
    }
    app = shutil.copytree(EXAMPLE, tmp_path / "federated", ignore=shutil.ignore_patterns("__pycache__"))
    local = ["--insecure", "--host", "127.0.0.1", "--port"]
    calls = [["flower-superlink", *local, str(link), "--disable-runtime-dependency-installation"]]
    for part, port in enumerate(nodes):
        name = f"partition-id={part} num-partitions=2"
        calls.append(
            ["flower-supernode", *local, str(port), "--superlink", f"127.0.0.1:{link}", "--node-config", name]
        )
    with ExitStack() as stack:
        for number, call in enumerate(calls):
            log = stack.enter_context(open(tmp_path / f"{number}.log", "w"))
            process = subprocess.Popen(call, env=environment, stdout=log, stderr=log, start_new_session=True)
            stack.callback(process.wait)
            stack.callback(os.killpg, process.pid, signal.SIGKILL)
        done = subprocess.run(
            ["flwr", "run", app, "local", "--stream", "--run-config", "rounds=2"],
            env=environment, capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip
    logs = "".join((tmp_path / f"{number}.log").read_text() for number in range(3))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    printed = done.stdout + done.stderr
    assert printed.count("aggregate_fit: received 2 results and 0 failures") == 2, printed + logs
    first, second = (float(loss) for loss in re.findall(r"round \d: (\d\.\d+)", printed))
    accuracy = float(re.findall(r"\(2, (0\.\d+)\)", printed)[0])
    assert second < first < 2.3 and accuracy > 0.7, "an untrained network has a loss of 2.3"
