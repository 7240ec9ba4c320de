"""The pages of docs/remedies: their code runs and prints what the page says, every plot exists and is drawn by a script, and the
scripts run, on fewer seeds and epochs."""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path

import pytest

import cygrad as cg

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("CYGRAD_DATA") or ROOT / ".." / "shared" / "data")
PAGES, SCRIPTS = ROOT / "docs" / "remedies", ROOT / "examples" / "remedies"
pytestmark = pytest.mark.skipif(not PAGES.is_dir() or not SCRIPTS.is_dir(), reason="the pages are not beside the tests")

# Conditions on the numbers that a page's code prints.
SHOWN = {
    "early_stopping": lambda epochs, best, accuracy: best == epochs - 5 < 95 and accuracy > 0.95,
    "weight_decay": lambda *numbers: numbers[:4] == (2, 0.01, 4, 0.0) and numbers[4:] == pytest.approx((1.8, -3.9)),
    "dropout": lambda mean, zeros, most: abs(mean - 1) < 0.01 and abs(zeros - 0.25) < 0.01 and most == pytest.approx(4 / 3),
    "augmentation": lambda *numbers: numbers[:6] == (64, 1, 8, 8, 64, 10) and len(numbers) > 10,
    "clipping": lambda before, after, ratio: before > 100 and after == pytest.approx(1) and ratio == pytest.approx(0.05, 1e-3),
    "normalization": lambda m, v, n, w: max(m, n) < 1e-5 and v == pytest.approx(1, 1e-3) and w == pytest.approx(1, 1e-3),
    "initialization": lambda xavier, he: xavier == pytest.approx(2**-10, 0.5) and he == pytest.approx(1, 0.5),
}  # fmt: skip


def text_of(name):
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def test_every_page_is_tested_and_linked():
    assert {page.stem for page in PAGES.glob("*.md")} == {"README", *SHOWN}
    assert all(f"]({name}.md)" in text_of("README") for name in SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_the_code_of_a_page_prints_what_the_page_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    script = "\n".join(re.findall(r"```python\n(.*?)```", text_of(name), re.DOTALL))
    exec(compile(script, f"{name}.md", "exec"), {})
    numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", capsys.readouterr().out)]
    assert SHOWN[name](*numbers), numbers


def test_every_plot_is_small_described_and_drawn_by_a_script():
    shown = {name: alt for page in SHOWN for alt, name in re.findall(r"!\[(.*?)\]\((.*?)\)", text_of(page))}
    assert set(shown) == {picture.name for picture in PAGES.glob("*.png")}
    for name, alt in shown.items():
        assert len(alt) > 40 and (PAGES / name).stat().st_size < 60_000, name
        assert (SCRIPTS / name).with_suffix(".py").exists()


# The scripts


@pytest.fixture
def scripts(monkeypatch):
    """Import a script of the folder, reduced to one seed and two epochs."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("CYGRAD_DATA", "nowhere")
    monkeypatch.setattr(importlib.import_module("setting"), "SEEDS", range(1))

    def imported(name):
        module = importlib.import_module(name)
        if hasattr(module, "EPOCHS"):
            monkeypatch.setattr(module, "EPOCHS", 2)
        return module

    yield imported
    for name in set(sys.modules) - before:
        if (SCRIPTS / f"{name}.py").exists():
            del sys.modules[name]


@pytest.mark.parametrize(
    "name", ["early_stopping", "weight_decay", "dropout", "clipping", "normalization", "initialization"]
)
def test_a_script_measures_reports_and_draws(name, scripts):
    remedy = scripts(name)
    results = remedy.measure()
    head, _, *rows = remedy.report(results).splitlines()
    assert rows and head in text_of(name), "the page has the table of the script"
    pytest.importorskip("matplotlib")
    assert len(remedy.plot(results).axes) == 2


@pytest.mark.parametrize("name", ["augmentation", "token_augmentation"])
def test_a_script_without_its_data_says_so(name, scripts):
    with pytest.raises(FileNotFoundError):
        scripts(name).measure()


@pytest.mark.skipif(
    not (DATA / "mnist-t10k").is_dir(), reason="no MNIST files here; CYGRAD_DATA names their folder's parent"
)
def test_augmentation_gains_half_a_percentage_point(scripts, monkeypatch):
    monkeypatch.setenv("CYGRAD_DATA", str(DATA))
    remedy = scripts("augmentation")
    monkeypatch.setattr(remedy, "EPOCHS", 10)
    (without,), (augmented,) = remedy.measure().values()
    assert augmented.accuracy > without.accuracy + 0.005


@pytest.mark.parametrize("wrong", [0.0, 0.2])
def test_only_labels_of_the_training_set_are_wrong(wrong, scripts):
    setting = scripts("setting")
    images, labels = cg.data.load_digits()
    right = {image.tobytes(): label for image, label in zip(images.reshape(-1, 64).astype("float32") / 16, labels)}
    shares = []
    for split in setting.digits(seed=1, wrong=wrong):
        x, y = (tensor.array for tensor in split.tensors)
        shares.append(sum(right[row.tobytes()] != label for row, label in zip(x, y)) / len(y))
    assert abs(shares[0] - wrong) < 0.05 and shares[1:] == [0, 0]
