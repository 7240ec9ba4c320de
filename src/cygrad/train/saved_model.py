"""A trained model in a folder: its description as JSON, and its weights as safetensors."""

from __future__ import annotations

import json
import os
from typing import Any

from cygrad._files import atomic_write
from cygrad._version import __version__
from cygrad.nn.description import build, describe
from cygrad.nn.module import Module
from cygrad.serialization import load, save

__all__ = ["load_model", "save_model"]

FORMAT = 1
DESCRIPTION, WEIGHTS = "model.json", "weights.safetensors"


def save_model(folder: str | os.PathLike[str], model: Module) -> None:
    """Writes ``model.json``, what the model is made of, and ``weights.safetensors``, its parameters and buffers.

    The model consists of modules of ``cygrad.nn``; ``cygrad.nn.description.describe`` raises TypeError for another,
    and nothing is written. Raises OSError where a file can't be written, ImportError without the package safetensors.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> model = cg.nn.Sequential(cg.nn.Linear(3, 2), cg.nn.ReLU())
    >>> cg.train.save_model(folder, model)
    >>> loaded, x = cg.train.load_model(folder), cg.ones(4, 3)
    >>> bool((loaded(x).array == model(x).array).all())
    True
    """
    name = os.fspath(folder)
    content = {"format": FORMAT, "cygrad": __version__, "network": describe(model)}
    text = json.dumps(content, indent=2)
    os.makedirs(name, exist_ok=True)
    save(model.state_dict(), os.path.join(name, WEIGHTS))
    with atomic_write("save_model", os.path.join(name, DESCRIPTION)) as file:
        file.write(text.encode() + b"\n")


def load_model(folder: str | os.PathLike[str]) -> Module:
    """The model that ``save_model`` wrote, in evaluation mode. No code of the folder's is run.

    Raises FileNotFoundError where a file is missing, ValueError where one is corrupt, of another format, or does not
    fit the other.
    """
    name = os.fspath(folder)
    path = os.path.join(name, DESCRIPTION)
    for file in (path, os.path.join(name, WEIGHTS)):
        if not os.path.isfile(file):
            raise FileNotFoundError(f"load_model: {name} is no saved model, it has no {os.path.basename(file)}")
    content = read_description(path)
    weights = load(os.path.join(name, WEIGHTS))
    try:
        model = build(content["network"])
        model.load_state_dict(weights)
    except (ValueError, RuntimeError, TypeError) as error:
        raise ValueError(f"load_model: {path} and its weights are no model ({error})") from None
    return model.eval()


def read_description(path: str) -> dict[str, Any]:
    """The JSON of a model."""
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"load_model: {path} is no JSON ({error})") from None
    if not isinstance(content, dict) or "network" not in content:
        raise ValueError(f"load_model: {path} describes no model")
    if content.get("format") != FORMAT:
        raise ValueError(f"load_model: {path} has format {content.get('format')!r}, wanted {FORMAT}")
    return content
