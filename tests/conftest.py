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


@pytest.fixture
def recordings(monkeypatch):
    """The programs recorded in a test, as they come."""
    from cygrad.compiler.cache import ProgramCache

    found, record = [], ProgramCache.record

    def noted(self, *args):
        before = list(self.programs)
        result = record(self, *args)
        found.extend(self.programs[len(before) :])
        return result

    monkeypatch.setattr(ProgramCache, "record", noted)
    return found
