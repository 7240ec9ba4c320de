"""The cores that a process may use, under control groups of both versions."""

from __future__ import annotations

import os

import pytest

from cygrad.cores import container_quota, usable_cores

# what the process belongs to, the files of its groups, the cores they leave
GROUPS = {
    "none": ("", {}, None),
    "no limit": ("0::/\n", {"cpu.max": "max 100000"}, None),
    "version 2": ("0::/\n", {"cpu.max": "150000 100000"}, 2),
    "less than a core": ("0::/\n", {"cpu.max": "1000 100000"}, 1),
    "a service": ("0::/system.slice/a.service\n", {"system.slice/a.service/cpu.max": "300000 100000"}, 3),
    "the group above": (
        "0::/system.slice/a.service\n",
        {"system.slice/cpu.max": "200000 100000", "system.slice/a.service/cpu.max": "800000 100000"},
        2,
    ),
    "a neighbour": ("0::/a\n", {"b/cpu.max": "100000 100000"}, None),
    "the container's own, seen as the root": ("0::/docker/a\n", {"cpu.max": "400000 100000"}, 4),
    "version 1": (
        "5:memory:/m\n1:cpu,cpuacct:/a\n",
        {"cpu/a/cpu.cfs_quota_us": "250000\n", "cpu/a/cpu.cfs_period_us": "100000\n"},
        3,
    ),
    "version 1, another controller's": (
        "5:memory:/m\n",
        {"cpu/m/cpu.cfs_quota_us": "250000\n", "cpu/m/cpu.cfs_period_us": "100000\n"},
        None,
    ),
    "version 1, no limit": (
        "1:cpu:/\n",
        {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
        None,
    ),
    "nonsense": ("what\n\n0:/\n", {"cpu.max": "a b c"}, None),
    "a period of zero": ("0::/\n", {"cpu.max": "5 0"}, None),
}


@pytest.mark.parametrize(("belongs", "files", "cores"), GROUPS.values(), ids=GROUPS)
def test_quota(tmp_path, belongs, files, cores):
    for name, text in {"proc/self/cgroup": belongs, **{f"sys/fs/cgroup/{n}": t for n, t in files.items()}}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert container_quota(str(tmp_path)) == cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_affinity():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert 1 <= usable_cores() <= len(allowed)
