"""What the stages share: their parameters and their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

PARTS, RUN, LIVE, EVALUATION = "data/parts.npz", "run", "live", "evaluation"
NAMES = ("train", "validation", "test")


def params(stage: str) -> dict[str, Any]:
    """The stage's section of params.yaml."""
    return dict(YAML(typ="safe").load(Path("params.yaml"))[stage])


def load_parts() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The rows (n, 64) of pixels from 0 to 16 and the labels (n) of each part."""
    with np.load(PARTS, allow_pickle=False) as file:
        return {name: (file[f"{name}_rows"], file[f"{name}_labels"]) for name in NAMES}


def write_json(path: str, content: Any) -> None:
    """A file of JSON, in a folder that is made where it is missing."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
