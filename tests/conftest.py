"""Every test begins with the same random numbers."""

import pytest

import cygrad as cg


@pytest.fixture(autouse=True)
def seeded():
    cg.manual_seed(0)


@pytest.fixture
def unused_port():
    """A port of this machine on which nothing listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
