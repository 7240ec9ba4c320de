"""Parameters and files that the stages share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

SPLITS, RUN, LIVE, EVALUATION = "data/splits.npz", "run", "live", "evaluation"
NAMES = ("train", "validation", "test")


def params(stage: str) -> dict[str, Any]:
    """A stage's section of params.yaml."""
    return dict(YAML(typ="safe").load(Path("params.yaml"))[stage])


def load_splits() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pixels from 0 to 16 (n, 64) and labels (n) of each split."""
    with np.load(SPLITS, allow_pickle=False) as file:
        return {name: (file[f"{name}_rows"], file[f"{name}_labels"]) for name in NAMES}


def write_json(path: str, content: Any) -> None:
    """Writes a JSON file, and creates its folder."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
