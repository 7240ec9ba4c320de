"""The number of CPU cores that this process may use.

Paths are strings, because importing pathlib takes a tenth of the time of importing cygrad.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

__all__ = ["container_quota", "usable_cores"]


def usable_cores() -> int:
    """The number of cores in the process's affinity mask, limited by the CPU quota of its control groups."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = container_quota()
    return max(1, cores if quota is None else min(cores, quota))


def container_quota(root: str = "/") -> int | None:
    """The number of cores that the control groups of this process allow, rounded up; None if there is no limit.

    A quota limits a group and all groups below it, as for a service under systemd, so the smallest one counts.

    Args:
        root: the root of the file system, for tests

    Sources: the Linux kernel's documentation, admin-guide/cgroup-v2 (``cpu.max``) and scheduler/sched-bwc
    (``cpu.cfs_quota_us``).
    """
    quotas = (quota(group) for group in groups(root))
    return min((q for q in quotas if q is not None), default=None)


def groups(root: str) -> Iterator[str]:
    """The folders of the control groups that may limit this process, each with its parents."""
    mounted = os.path.join(root, "sys/fs/cgroup")
    version_1 = os.path.join(mounted, "cpu")
    yield from (mounted, version_1)
    for line in read(os.path.join(root, "proc/self/cgroup")).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            top = mounted
        elif "cpu" in controllers.split(","):
            top = version_1
        else:
            continue
        while path := path.strip("/"):
            yield os.path.join(top, path)
            path = os.path.dirname(path)


def quota(group: str) -> int | None:
    """The number of cores that one group allows, rounded up; None if it sets no limit."""
    words = read(os.path.join(group, "cpu.max")).split()
    if not words:
        words = [word for name in ("quota", "period") for word in read(f"{group}/cpu.cfs_{name}_us").split()]
    if len(words) != 2 or not all(word.isdecimal() for word in words) or int(words[1]) == 0:
        return None
    return -(-int(words[0]) // int(words[1])) or None


def read(path: str) -> str:
    """The text of a file, empty if it can't be read."""
    try:
        with open(path) as file:
            return file.read()
    except (OSError, ValueError):
        return ""
