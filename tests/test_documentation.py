"""Every example in a docstring or on a page runs, every public name has a docstring, and links between pages work."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

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
# Packages that a subpackage, or its examples, needs.
OPTIONAL = {
    "einops": "cygrad.integrations.einops",
    "sklearn": "cygrad.sklearn",
    "onnx": "cygrad.integrations.onnx",
    "matplotlib": "cygrad.train.figure",
    "optuna": "cygrad.train.search",
}


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


# Pages

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("csrc/*.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
pages_are_here = pytest.mark.skipif(not (ROOT / "docs").exists(), reason="the pages are not next to the tests")


def read(path):
    return path.read_text(encoding="utf-8")


def python_blocks(name):
    """The Python code of a page, its blocks joined."""
    return "\n".join(re.findall(r"```python\n(.*?)```", read(ROOT / name), re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_to_files(page):
    broken = [target for target in LINK.findall(read(page)) if not (page.parent / target).exists()]
    assert not broken, f"{page.name} links to missing files: {broken}"


@pages_are_here
def test_the_index_lists_every_page():
    listed = set(LINK.findall(read(ROOT / "docs/README.md")))
    pages = {page.name for page in ROOT.glob("docs/*.md")} - {"README.md"}
    assert pages <= listed, f"docs/README.md does not list {sorted(pages - listed)}"


@pages_are_here
def test_the_numbers_worked_by_hand_are_those_of_the_code():
    text = python_blocks("docs/backpropagation.md")
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    runner.run(doctest.DocTestParser().get_doctest(text, {}, "backpropagation.md", "backpropagation.md", 0))
    result = runner.summarize(verbose=False)
    assert result.attempted > 30 and result.failed == 0


@pages_are_here
@pytest.mark.parametrize("argument", ["eager", "compiled"])
def test_the_script_to_profile_runs(tmp_path, argument):
    (tmp_path / "step.py").write_text(python_blocks("docs/profiling.md"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "step.py", argument], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    if argument == "compiled":
        assert "µs in kernels" in done.stdout and (tmp_path / "step.json").exists()


@pages_are_here
def test_every_file_names_the_same_version():
    path = ROOT / ".ci" / "check_release.py"
    if not path.exists():
        pytest.skip("the checks of a release are not next to the tests")
    done = subprocess.run([sys.executable, path, f"v{cg.__version__}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    oldest = re.search(r'requires-python = ">=([\d.]+)"', read(ROOT / "pyproject.toml"))[1]
    assert f"Python {oldest} or later" in read(ROOT / "README.md")


@pages_are_here
def test_the_chart_shows_the_table():
    chart = pytest.importorskip("benchmarks.chart", reason="the benchmarks are not next to the tests")
    drawn = chart.draw(chart.step_times(read(ROOT / "benchmarks/README.md")))
    assert drawn == read(ROOT / "docs/step-times.svg"), (
        "run python -m benchmarks.chart benchmarks/README.md docs/step-times.svg"
    )
