"""The threads of the kernels: they survive fork, serve several callers, and never change a bit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import cygrad as cg
from cygrad import _kernels as kernels

X = np.linspace(-1, 1, 1 << 21, dtype=np.float32)  # large enough that every thread gets a share


@pytest.fixture(params=[1, 2, 3, 8])
def threads(request):
    before = kernels.num_threads()
    kernels.set_num_threads(request.param)
    yield request.param
    kernels.set_num_threads(before)


def test_the_count_is_kept(threads):
    assert kernels.num_threads() == threads
    with pytest.raises(ValueError, match="set_num_threads: threads must be at least 1, got 0"):
        kernels.set_num_threads(0)
    assert kernels.num_threads() == threads


def test_same_result(threads):
    np.testing.assert_array_equal(kernels.relu(X), np.maximum(X, 0))


def test_several_callers_at_once(threads):
    expected = np.maximum(X, 0)
    wrong = []

    def call():
        for _ in range(20):
            if not np.array_equal(kernels.relu(X), expected):
                wrong.append(threading.current_thread().name)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_flushed_subnormals_of_the_caller_reach_every_share():
    """Other libraries switch a thread to flush subnormal numbers; the bits then still don't depend on the thread count."""
    torch = pytest.importorskip("torch")
    x = np.full(1 << 21, 1e-39, np.float32)
    one = np.ones(1, np.float32)
    before = kernels.num_threads()
    results = {}
    try:
        for count in (4, 1):  # workers that were started in the usual mode
            kernels.set_num_threads(count)
            kernels.relu(X)
            results["usual", count] = kernels.mul(x, one)
            if not torch.set_flush_denormal(True):
                pytest.skip("this processor has no such mode")
            results["flushed", count] = kernels.mul(x, one)
            torch.set_flush_denormal(False)
            results["usual again", count] = kernels.mul(x, one)
    finally:
        torch.set_flush_denormal(False)
        kernels.set_num_threads(before)
    for mode, value in (("usual", x), ("flushed", 0 * x), ("usual again", x)):
        for count in (4, 1):
            np.testing.assert_array_equal(
                results[mode, count].view(np.uint32), value.view(np.uint32), f"{mode}, {count} threads"
            )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_computes(threads):
    expected = kernels.relu(X)
    child = os.fork()
    if child == 0:
        os._exit(0 if (kernels.relu(X) == expected).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(kernels.relu(X), expected)


def test_the_process_ends_while_threads_exist():
    code = (
        "import numpy as np; from cygrad import _kernels as k; k.set_num_threads(4); "
        "print(int(k.relu(np.ones(1 << 21, np.float32)).sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "2097152", "")


def test_threadpoolctl_finds_and_limits_the_threads():
    pools = pytest.importorskip("threadpoolctl")
    before = cg.get_num_threads()
    (info,) = [i for i in pools.threadpool_info() if i["user_api"] == "cygrad"]
    assert info["num_threads"] == before and info["version"] == cg.__version__
    cg.set_num_threads(3)
    with pools.threadpool_limits(1):
        assert cg.get_num_threads() == 1
    assert cg.get_num_threads() == 3
    cg.set_num_threads(before)
