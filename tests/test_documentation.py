"""Every example in a docstring runs, and every public name has a docstring."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import cygrad as cg
from cygrad.autograd import Op

MODULES = ["cygrad", *(m.name for m in pkgutil.walk_packages(cg.__path__, "cygrad.") if "__main__" not in m.name)]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PUBLIC = [
    "cygrad", "cygrad.nn", "cygrad.nn.functional", "cygrad.autograd", "cygrad.compiler", "cygrad.data",
    "cygrad.data.preprocessing", "cygrad.optim", "cygrad.train", "cygrad.runs", "cygrad.sklearn", "cygrad.serve",
    "cygrad.integrations.onnx",
]  # fmt: skip
# What must be there for a part of ours, or its examples.
OPTIONAL = {"sklearn": "cygrad.sklearn", "onnx": "cygrad.integrations.onnx"}


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = imported(name)
    failed, _ = doctest.testmod(module, extraglobs={"cg": cg, "np": np}, optionflags=OPTIONS)
    assert failed + failed_of_ops(module) == 0, f"examples of {name} fail"


def imported(name):
    """The module; the test is skipped where that needs a package that is not there."""
    for package, part in OPTIONAL.items():
        if name.startswith(part):
            pytest.importorskip(package)
    return importlib.import_module(name)


def failed_of_ops(module) -> int:
    """Ops are no functions, so doctest does not find their examples itself."""
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    parser = doctest.DocTestParser()
    for name, item in vars(module).items():
        if isinstance(item, Op) and item.forward.__module__ == module.__name__ and item.__doc__:
            runner.run(parser.get_doctest(item.__doc__, {"cg": cg, "np": np}, name, module.__file__, 0))
    return runner.summarize(verbose=False).failed


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    module = imported(name)
    bare = [
        attribute
        for attribute in getattr(module, "__all__", [])
        if (inspect.isfunction(item := getattr(module, attribute)) or inspect.isclass(item)) and not item.__doc__
    ]
    assert not bare, f"no docstring: {bare}"
