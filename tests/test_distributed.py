"""Several ranks: ``mpiexec`` runs the checks of ranks.py once, and its failures beside each other."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
import cygrad.distributed as dist
from cygrad.distributed.lockstep import Lockstep, current_shard
from cygrad.distributed.tree import Tree
from tests.ranks import bits

pytest.importorskip("mpi4py")
HERE = Path(__file__).parent
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "CYGRAD_NUM_THREADS"}
CHECKS = re.findall(r"^def (check_\w+)", (HERE / "ranks.py").read_text(encoding="utf-8"), re.MULTILINE)

needs_mpiexec = pytest.mark.skipif(MPIEXEC is None, reason="there is no mpiexec")


def start(size, *args, **environment):
    return subprocess.Popen(
        [MPIEXEC, "-n", str(size), sys.executable, str(HERE / "ranks.py"), *args],
        env={**ENVIRONMENT, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def alone():
    dist.init_process_group()
    yield
    dist.destroy_process_group()


APART = {"MPIR_CVAR_NOLOCAL": "1", "UCX_TLS": "tcp"}  # MPICH's ranks, as if each had a machine of its own


@pytest.fixture(scope="module", params=[{}, APART], ids=["over memory", "over TCP"])
def results(request):
    """For each check what was wrong."""
    output, errors = start(3, **request.param).communicate(timeout=120)
    assert output, errors
    *_, fingerprints, checks = output.splitlines()
    return {"bits": json.loads(fingerprints.removeprefix("bits:")), **json.loads(checks)}


@needs_mpiexec
@pytest.mark.parametrize("name", CHECKS)
def test_on_three_ranks(name, results):
    assert not results[name], results[name]


@needs_mpiexec
def test_bits_do_not_depend_on_the_number_of_ranks(results, alone):
    """With logical shards: dropout, synchronized batch norm, clipping, averages, early stopping; eager and recorded."""
    found = bits(1, 6)
    assert found == results["bits"]
    assert found[0] == found[1] and len({*found}) == 3
    assert bits(1, 5) != found


@pytest.fixture(scope="module")
def failures():
    """How three ranks end of which one fails: exit status, standard error and seconds of each."""
    began, ended = time.monotonic(), {}
    running = {how: start(3, how) for how in ("raise", "exit", "end", "kill")}
    for how, process in running.items():
        _, errors = process.communicate(timeout=60)
        ended[how] = (process.returncode, errors, time.monotonic() - began)
    return ended


@needs_mpiexec
@pytest.mark.parametrize(
    "how, message",
    {
        "raise": "rank 1 of 3 failed (ValueError: lost); all ranks are stopped",
        "exit": "rank 1 of 3 failed (sys.exit(3)); all ranks are stopped",
        "end": "rank 1 ended its program after 3 collective operations, and this rank waits for it in number 4",
        "kill": None,
    }.items(),
)
def test_a_rank_that_fails_ends_all(how, message, failures):
    status, errors, _ = failures[how]
    assert status != 0
    assert message is None or message in errors, errors


@needs_mpiexec
def test_no_failure_takes_long(failures):
    assert max(seconds for *_, seconds in failures.values()) < 30  # 3 on an idle machine


@needs_mpiexec
def test_an_error_of_all_ranks_is_printed_once(tmp_path):
    command = [MPIEXEC, "-n", "2", sys.executable, "-m", "cygrad", "train", str(tmp_path / "none.csv"), "--target", "x"]
    done = subprocess.run(
        command, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1 and done.stderr.count("No such file or directory") == 1
    assert "rank 0 of 2 failed (FileNotFoundError); all ranks are stopped" in done.stderr


# A world of one


def test_a_world_of_one_computes_as_without_it(alone):
    x = cg.tensor([[1.0, 2.0]])
    parts, out = [cg.zeros(1, 2)], cg.zeros(1, 2)
    dist.all_gather(parts, x)
    dist.reduce_scatter_tensor(out, x, dist.ReduceOp.AVG)
    dist.scatter(out, parts)
    dist.broadcast(out, 0)
    dist.barrier()
    assert parts[0].tolist() == out.tolist() == x.tolist()
    assert dist.all_reduce(out, async_op=True).wait() and out.tolist() == x.tolist()
    model = cg.nn.parallel.DistributedDataParallel(cg.nn.Linear(2, 1))
    with model.join(), model.no_sync():
        model(x).sum().backward()
    assert model.module.weight.grad.tolist() == x.tolist()
    with pytest.raises(ValueError, match="other rank must not be this one, 0"):
        dist.send(x, 0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"backend": "nccl"}, "backend must be 'mpi' or 'gloo'"),
        ({"init_method": "tcp://10.1.1.20:23456"}, "mpiexec connects the ranks"),
        ({"world_size": 4}, "world_size is 1, as mpiexec says, got 4"),
        ({"rank": 1}, "rank is 0, as mpiexec says, got 1"),
    ],
)
def test_arguments_that_mpiexec_contradicts(arguments, message):
    with pytest.raises(ValueError, match=message):
        dist.init_process_group(**arguments)
    assert not dist.is_initialized()


def test_groups_begin_and_end_once(monkeypatch):
    with pytest.raises(RuntimeError, match="get_rank: init_process_group has not been called"):
        dist.get_rank()
    with pytest.raises(RuntimeError, match="DistributedDataParallel: init_process_group has not been called"):
        cg.nn.parallel.DistributedDataParallel(cg.nn.Linear(2, 1))
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(RuntimeError, match="mpiexec -n 4 python"):
        dist.init_process_group()
    monkeypatch.delenv("WORLD_SIZE")
    dist.init_process_group("gloo")
    with pytest.raises(RuntimeError, match="called already"):
        dist.init_process_group()
    assert (dist.get_backend(), dist.get_rank(), dist.get_world_size()) == ("gloo", 0, 1)
    dist.destroy_process_group()
    with pytest.raises(RuntimeError, match="destroy_process_group: init_process_group has not been called"):
        dist.destroy_process_group()


@pytest.mark.parametrize("round", [0, 1], ids=["before it meets the others", "after it has met them"])
@pytest.mark.parametrize("shard", range(3))
def test_an_error_in_a_shard_ends_all(shard, round):
    lockstep = Lockstep(Tree(3, 3, None))

    def work(number):
        for turn in range(2):
            if (number, turn) == (shard, round):
                raise ValueError("a bad row")
            current_shard().stacked(np.ones(2) * number)

    ended = []

    def run():
        with pytest.raises(ValueError, match="a bad row"):
            lockstep.run(work)
        ended.append(True)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(30)
    assert ended, "the shards wait for each other"
    assert not [t for t in threading.enumerate() if t.name.startswith("cygrad-shard")]
