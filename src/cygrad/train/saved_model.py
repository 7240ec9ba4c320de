"""A trained model in a folder: its description as JSON and its weights as safetensors."""

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
    """Save a model: ``model.json``, its architecture, and ``weights.safetensors``, its parameters and buffers.

    Args:
        folder: created if it does not exist.
        model: built from modules of ``cygrad.nn`` only.

    Raises:
        TypeError: if ``cygrad.nn.description.describe`` can't describe the model; nothing is written.
        OSError: if a file can't be written.
        ImportError: without the package safetensors.

    Example:
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
    """Load a model that ``save_model`` saved, in evaluation mode.

    Loading runs no code from the folder.

    Args:
        folder: with the two files.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is corrupt or has another version's format, or the weights do not fit the model.
    """
    name = os.fspath(folder)
    path = os.path.join(name, DESCRIPTION)
    for file in (DESCRIPTION, WEIGHTS):
        if not os.path.isfile(os.path.join(name, file)):
            raise FileNotFoundError(f"load_model: {name} is not a saved model: {file} is missing")
    content = read_description(path)
    weights = load(os.path.join(name, WEIGHTS))
    try:
        model = build(content["network"])
        model.load_state_dict(weights)
    except (ValueError, RuntimeError, TypeError) as error:
        raise ValueError(f"load_model: the weights and {path} do not make a model ({error})") from None
    return model.eval()


def read_description(path: str) -> dict[str, Any]:
    """Read the JSON of a model."""
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"load_model: {path} is not valid JSON ({error})") from None
    if not isinstance(content, dict) or "network" not in content:
        raise ValueError(f"load_model: {path} does not describe a model")
    if content.get("format") != FORMAT:
        raise ValueError(f"load_model: {path} has format {content.get('format')!r}, expected {FORMAT}")
    return content
