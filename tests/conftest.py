"""Every test begins with the same random numbers."""

import pytest

import cygrad as cg


@pytest.fixture(autouse=True)
def seeded():
    cg.manual_seed(0)
