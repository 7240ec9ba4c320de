"""What a notebook shows as the last line of a cell."""

from __future__ import annotations

import sys
import types

import pytest

import cygrad as cg
from cygrad.train.progress import Progress, is_notebook


def history():
    return cg.train.History([{"epoch": i, "loss": 1 / i, "val_loss": 2 / i, "lr": 0.1} for i in (1, 2, 3)])


def test_a_history_shows_its_curves_without_any_package():
    shown = history()._repr_html_()
    assert shown.count("<svg") == 1 and "training" in shown and "validation" in shown
    assert cg.train.History()._repr_html_().count("<svg") == 0


def test_a_plot_is_a_picture():
    pytest.importorskip("matplotlib")
    assert history().plot()._repr_png_().startswith(b"\x89PNG")


def test_a_table_shows_its_first_rows():
    table = cg.data.Table({"<a>": list(range(50)), "b": ["x" * 100, None, *["y"] * 48]})
    shown = table._repr_html_()
    assert shown.count("<tr>") == 11 and "&lt;a&gt;" in shown and "…" in shown and "50 rows, 2 columns" in shown
    assert cg.data.Table({})._repr_html_() and cg.data.Table({"a": []})._repr_html_()


def test_a_module_shows_its_layers_and_parameters():
    model = cg.nn.Sequential(cg.nn.Linear(4, 3), cg.nn.Sequential(cg.nn.ReLU(), cg.nn.LazyLinear(2)))
    shown = model._repr_html_()
    assert shown.count("<tr>") == 6 and "15 parameters" in shown and "in_features=4" in shown
    assert sum(p.array.size for p in cg.nn.Linear(4, 3).parameters()) == 15


def test_a_graph_is_a_picture():
    x = cg.tensor([1.0], requires_grad=True)
    assert (x * 2).graph()._repr_svg_().startswith("<svg")


def test_a_bar_in_a_notebook(monkeypatch):
    """Without a terminal, tqdm.auto chooses the bar."""
    made = []

    class Bar:
        def __init__(self, **options):
            made.append(options)

        def update(self):
            made.append("step")

        def close(self):
            made.append("closed")

    class ZMQInteractiveShell:
        pass

    assert not is_notebook()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=ZMQInteractiveShell))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    monkeypatch.setitem(sys.modules, "tqdm", types.SimpleNamespace(auto=sys.modules["tqdm.auto"]))
    model = cg.nn.Linear(1, 1)
    x = cg.randn(4, 1)
    trainer = cg.train.Trainer(model, cg.nn.functional.mse_loss, cg.optim.SGD(model.parameters(), lr=0.1), callbacks=[Progress()], progress=False)
    trainer.fit([(x, x)] * 2, epochs=1)
    assert made[0]["total"] == 2 and made[1:] == ["step", "step", "closed"]
