"""A trained model in a folder: its description as JSON and its weights as safetensors."""

from __future__ import annotations

import json
import os
from typing import Any

from cygrad._files import atomic_write, one_line, open_file, read_json
from cygrad._folders import commit, committed, digest, locked, read_stable
from cygrad._version import __version__
from cygrad.nn.description import build, describe
from cygrad.nn.module import Module
from cygrad.nn.modules.factory import allowance
from cygrad.nn.state import count_elements
from cygrad.serialization import load_open, save

__all__ = ["load_model", "save_model"]

FORMAT = 1
DESCRIPTION, WEIGHTS = "model.json", "weights.safetensors"


def save_model(folder: str | os.PathLike[str], model: Module) -> None:
    """Save a model: ``model.json``, its architecture, and ``weights.safetensors``, its parameters and buffers.

    The two files are replaced together: whenever the process is killed, the folder holds the old model or the new one.

    Args:
        folder: created if it does not exist.
        model: built from modules of ``cygrad.nn`` only.

    Raises:
        TypeError: if ``cygrad.nn.description.describe`` can't describe the model; nothing is written.
        OSError: if a file can't be written, or another process is writing to the folder.
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
    os.makedirs(name, exist_ok=True)
    with locked("save_model", name), commit("save_model", name) as new:
        weights = os.path.join(new, WEIGHTS)
        save(model.state_dict(), weights)
        with open_file("save_model", weights) as file:
            content["weights_sha256"] = digest(file)
        with atomic_write("save_model", os.path.join(new, DESCRIPTION)) as file:
            file.write(json.dumps(content, indent=2).encode() + b"\n")


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
    return read_stable(name, (DESCRIPTION, WEIGHTS), lambda: read_model(name))


def read_model(folder: str) -> Module:
    """Read a model. If another process saves one meanwhile, files may be missing or not belong together."""
    for name in (DESCRIPTION, WEIGHTS):
        if not os.path.isfile(committed(folder, name)):
            raise FileNotFoundError(f"load_model: {folder} is not a saved model: {name} is missing")
    path = committed(folder, WEIGHTS)
    content = read_description(committed(folder, DESCRIPTION))
    with open_file("load", path) as file:
        weights, checksum = load_open(file, path), digest(file)
    try:
        with allowance(count_elements(weights)):
            model = build(content["network"])
        model.load_state_dict(weights)
    except (ValueError, RuntimeError, TypeError, RecursionError) as error:
        raise ValueError(
            f"load_model: the weights and {DESCRIPTION} in {folder} do not make a model ({one_line(error)})"
        ) from None
    if content.get("weights_sha256", "") and checksum != content["weights_sha256"]:
        raise ValueError(
            f"load_model: {folder} is damaged: {WEIGHTS} is not the file that {DESCRIPTION} was saved with"
        )
    return model.eval()


def read_description(path: str) -> dict[str, Any]:
    """Read the JSON of a model."""
    try:
        content = read_json("load_model", path)
    except ValueError as error:
        raise ValueError(f"load_model: {path} is not valid JSON ({one_line(error)})") from None
    if not isinstance(content, dict) or "network" not in content:
        raise ValueError(f"load_model: {path} does not describe a model")
    if content.get("format") != FORMAT:
        raise ValueError(f"load_model: {path} has format {content.get('format')!r}, expected {FORMAT}")
    return content
