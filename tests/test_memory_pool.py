"""The memory pool: memory is reused, counted, limited and returned to the system."""

from __future__ import annotations

import gc
import os

import numpy as np
import pytest

import cygrad as cg
from cygrad import _kernels as kernels

LARGE = np.ones((512, 512), np.float32)  # 1 MiB, above the size that is left to malloc


@pytest.fixture
def empty_pool():
    gc.collect()
    kernels.empty_cache()
    yield
    kernels.limit_cache(1 << 30)
    kernels.empty_cache()


def test_a_freed_array_is_reused(empty_pool):
    kernels.relu(LARGE)
    before = kernels.memory_stats()
    for _ in range(10):
        kernels.relu(LARGE)
    after = kernels.memory_stats()
    assert after["from_system"] == before["from_system"]
    assert after["reused"] == before["reused"] + 10


def test_bytes_are_counted(empty_pool):
    before = kernels.memory_stats()["in_use"]
    kernels.reset_peak_memory_stats()
    y = kernels.relu(LARGE)
    stats = kernels.memory_stats()
    assert y.nbytes <= stats["in_use"] - before <= 1.25 * y.nbytes + 4096
    assert stats["peak_in_use"] == stats["in_use"]
    del y
    assert kernels.memory_stats()["in_use"] == before
    assert kernels.memory_stats()["cached"] >= LARGE.nbytes
    kernels.empty_cache()
    assert kernels.memory_stats()["cached"] == 0


def test_the_cache_is_limited(empty_pool):
    kernels.limit_cache(LARGE.nbytes // 2)
    kernels.relu(LARGE)
    assert kernels.memory_stats()["cached"] == 0
    with pytest.raises(ValueError, match="limit_cache: bytes must not be negative, got -1"):
        kernels.limit_cache(-1)


def test_arrays_are_aligned_and_own_their_memory():
    y = kernels.relu(LARGE)
    assert y.ctypes.data % 64 == 0
    assert y.flags.owndata and y.base is None
    y.resize((600, 600), refcheck=False)  # goes through the pool's realloc
    np.testing.assert_array_equal(y.ravel()[: LARGE.size], 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_can_allocate():
    y = kernels.relu(LARGE)
    child = os.fork()
    if child == 0:
        os._exit(0 if (kernels.relu(LARGE) == y).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_new_tensors_parameters_and_optimizer_states_are_aligned():
    layer = cg.nn.Linear(65, 33)
    optimizer = cg.optim.AdamW(layer.parameters())
    layer(cg.randn(2, 65)).sum().backward()
    optimizer.step()
    states = [t for state in optimizer.state.values() for t in state.values() if isinstance(t, cg.Tensor)]
    tensors = [cg.tensor(LARGE), cg.zeros(9), cg.ones(9), cg.empty(9), cg.full((9,), 2.0), cg.randn(9), cg.rand(9)]
    for t in [*layer.parameters(), *states, *tensors]:
        assert t.array.ctypes.data % 64 == 0


def test_the_public_functions_report_on_the_pool(empty_pool):
    cg.reset_peak_memory_stats()
    x = cg.zeros(512, 512)
    assert cg.memory_stats().peak_in_use >= cg.memory_stats().in_use >= x.nbytes
    del x
    assert cg.memory_stats().cached >= LARGE.nbytes
    cg.empty_cache()
    assert cg.memory_stats().cached == 0
    cg.set_cache_limit(0)
    cg.zeros(512, 512)
    assert cg.memory_stats().cached == 0


def test_results_own_their_memory_and_are_aligned():
    for shape in (3, 700), (5, 1024), (1 << 20,):
        y = kernels.relu(np.ones(shape, np.float32))
        assert y.flags.owndata and y.base is None
        assert y.nbytes < 8192 or y.ctypes.data % 64 == 0
        y.resize(2 * y.size, refcheck=False)  # NumPy reallocates with the allocator that allocated
        assert y[: y.size // 2].all()


def test_a_result_too_large_for_memory_raises():
    column = cg.zeros(1, 1).expand(2**33, 1)
    with pytest.raises((ValueError, MemoryError)):
        column @ column.T
    with pytest.raises((ValueError, MemoryError)):
        cg.zeros(1, 1).expand(2**22, 1) @ cg.zeros(1, 1).expand(1, 2**22)
