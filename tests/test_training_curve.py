"""Fifty training steps give PyTorch's losses from the same weights: a small network with every kernel of dense layers, and
the networks of ``examples/characters.py``, eager and compiled."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cygrad as cg
from cygrad._typing import Array

torch = pytest.importorskip("torch")

FEATURES, HIDDEN, CLASSES, ROWS, STEPS = 20, 48, 5, 64, 50


def network(nn, dtype):
    return nn.Sequential(
        nn.Linear(FEATURES, HIDDEN, bias=False, dtype=dtype),  # batch norm takes any bias away again
        nn.BatchNorm1d(HIDDEN, dtype=dtype),
        nn.ReLU(),
        nn.Dropout(0.0),
        nn.Linear(HIDDEN, HIDDEN, dtype=dtype),
        nn.LayerNorm(HIDDEN, dtype=dtype),
        nn.ReLU(),
        nn.Linear(HIDDEN, CLASSES, dtype=dtype),
    )


def losses(library, model, batches):
    """The loss of every step, with cross entropy, clipped gradients, and AdamW with decay of matrices only."""
    groups = [
        {"params": [p for p in model.parameters() if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = library.optim.AdamW(groups, lr=3e-3)
    curve = []
    for x, t in batches:
        optimizer.zero_grad()
        loss = library.nn.functional.cross_entropy(model(x), t)
        loss.backward()
        norm = library.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        curve.append([loss.item(), norm.item()])
    return np.array(curve)


@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-4), ("float64", 1e-9)])
def test_loss_follows_pytorch(dtype, rtol):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, FEATURES))
    t = (x @ rng.standard_normal((FEATURES, CLASSES))).argmax(1)
    here, there = network(cg.nn, getattr(cg, dtype)), network(torch.nn, getattr(torch, dtype))
    there.load_state_dict({k: torch.tensor(v.numpy()) for k, v in here.state_dict().items()})
    rows = [rng.choice(ROWS, ROWS // 2, replace=False) for _ in range(STEPS)]
    data = [(x[chosen].astype(dtype), t[chosen]) for chosen in rows]
    got = losses(cg, here, [(cg.tensor(a), cg.tensor(b)) for a, b in data])
    want = losses(torch, there, [(torch.tensor(a), torch.tensor(b)) for a, b in data])
    np.testing.assert_allclose(got[:, 0], want[:, 0], rtol=rtol)
    np.testing.assert_allclose(got[:, 1], want[:, 1], rtol=10 * rtol)
    assert got[-5:, 0].mean() < got[:5, 0].mean() / 2, "it learns"
    for (name, value), other in zip(here.state_dict().items(), there.state_dict().values()):
        np.testing.assert_allclose(value.numpy(), other.numpy(), rtol=100 * rtol, atol=100 * rtol, err_msg=name)


def test_decay_groups_split_the_same_way():
    model = network(cg.nn, None)
    decayed, rest = cg.optim.decay_groups(model, 0.1)
    assert [p.ndim for p in decayed["params"]] == [2, 2, 2]
    assert {p.ndim for p in rest["params"]} == {1}
    assert (decayed["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)


EXAMPLE = Path(__file__).parents[1] / "examples" / "characters.py"
DATA = os.environ.get("CYGRAD_DATA", EXAMPLE.parents[2] / "shared" / "data")


def example(library: str) -> dict[str, Any]:
    """The names of the example, with one of the libraries as `cg`."""
    source = EXAMPLE.read_text(encoding="utf-8").replace("import cygrad as cg", f"import {library} as cg")
    names: dict[str, Any] = {"__name__": "characters"}
    exec(compile(source.replace("from cygrad", f"from {library}"), str(EXAMPLE), "exec"), names)
    return names


def text() -> str:
    """The works of Shakespeare, or the page of the project where they are not at hand."""
    files = sorted(Path(DATA, "tinyshakespeare").glob("*.txt")) or [EXAMPLE.parents[1] / "README.md"]
    return files[0].read_text(encoding="utf-8")[:100_000]


def batches() -> Array:
    """Pieces of 65 characters, as numbers, twelve for each step."""
    numbers = {c: i for i, c in enumerate(sorted(set(text())))}
    data = np.array([numbers[c] for c in text()])
    starts = np.random.default_rng(0).integers(0, len(data) - 65, (STEPS, 12, 1))
    return data[starts + np.arange(65)]


def curve(network: str, library: Any, compiled: bool) -> list[float]:
    """The loss of every step, from the weights that cygrad draws."""
    characters = len(set(text()))
    models = {}
    for name in ("cygrad", "torch") if library is torch else ("cygrad",):
        names = example(name)
        cg.manual_seed(0)
        models[name] = names["Recurrent"](characters) if network == "lstm" else names["transformer"](characters)
    model = models[library.__name__]
    if library is torch:
        model.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in models["cygrad"].state_dict().items()})
    optimizer = library.optim.AdamW(model.parameters(), lr=2e-3)

    def step(batch: Any) -> Any:
        loss = library.nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        library.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    run = cg.compile(step) if compiled else step
    return [run(library.from_numpy(batch)).item() for batch in batches()]


@pytest.mark.parametrize("network", ["lstm", "transformer"])
def test_networks_that_write_follow_pytorch(network):
    eager = curve(network, cg, False)
    np.testing.assert_allclose(eager, curve(network, torch, False), rtol=1e-5)
    assert curve(network, cg, True) == eager
    assert eager[-1] < eager[0] - 1, "it learns"
