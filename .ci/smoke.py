"""A user's first steps with the installed wheel: import, train, save, load, predict."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import cygrad as cg


def import_milliseconds(statement: str) -> float:
    code = f"import time; t = time.perf_counter(); {statement}; print(1e3 * (time.perf_counter() - t))"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True) for _ in range(5)]
    return statistics.median([float(run.stdout) for run in runs])


def check_training() -> None:
    cg.manual_seed(0)
    x = cg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = cg.tensor([0, 1, 1, 0])
    model = cg.nn.Sequential(cg.nn.Linear(2, 16), cg.nn.Tanh(), cg.nn.Linear(16, 2))
    optimizer = cg.optim.AdamW(model.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss = cg.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        cg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert loss.item() < 0.05, loss
    assert (model(x).argmax(1) == y).all()
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("npz", "safetensors"):
            path = Path(folder) / f"model.{ending}"
            cg.save(model.state_dict(), path)
            copy = cg.nn.Sequential(cg.nn.Linear(2, 16), cg.nn.Tanh(), cg.nn.Linear(16, 2))
            copy.load_state_dict(cg.load(path))
            np.testing.assert_array_equal(copy(x).detach().numpy(), model(x).detach().numpy())


assert "site-packages" in cg.__file__, f"not the installed package: {cg.__file__}"
check_training()
numpy_alone = import_milliseconds("import numpy")
added = import_milliseconds("import numpy, cygrad") - numpy_alone
print(f"cygrad {cg.__version__} adds {added:.0f} ms to the {numpy_alone:.0f} ms of importing NumPy; {cg.show_config()}")
