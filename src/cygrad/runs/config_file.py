"""Configuration files: the options of a run in TOML."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
from typing import Any

from cygrad._files import one_line, open_file
from cygrad.runs.options import DATASETS, OPTIONS, converted

__all__ = ["read_config", "read_search"]

SEARCH = "search"  # the table that only ``cygrad sweep`` reads
PATHS = ("source", "data", "out")
MOST_BYTES, MOST_DOTS = 2**16, 100


def read_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read option values from a TOML file.

    Args:
        path: of a file that contains ``source`` and optionally ``data``, ``out`` and options, by their names on the
            command line. Paths in it are relative to the file. A table ``search`` is for ``cygrad sweep``.

    Returns:
        The values by option name, for ``Options.from_values``.

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if the file is not TOML, or an option is unknown or has the wrong type.
        ImportError: before Python 3.11, without the package tomli.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "config.toml")
        >>> _ = path.write_text('source = "digits"\\nepochs = 5\\nbatch-size = 32\\nhidden = [64, 32]')
        >>> cg.runs.read_config(path)
        {'source': 'digits', 'epochs': 5, 'batch_size': 32, 'hidden': (64, 32)}
    """
    file = os.fspath(path)
    return options_of(parse_toml(file), file)


def read_search(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the options of a training, and the table ``search``, from a TOML file.

    Raises:
        OSError: if the file can't be opened, or is not a regular file.
        ValueError: if the file is not TOML, has no table ``search``, or an option is unknown or has the wrong type.
        ImportError: before Python 3.11, without the package tomli.
    """
    file = os.fspath(path)
    content = parse_toml(file)
    search = content.get(SEARCH)
    if not isinstance(search, dict):
        raise ValueError(f"sweep: {file} has no table [search], which says what to search for")
    return options_of(content, file), search


def options_of(content: dict[str, Any], file: str) -> dict[str, Any]:
    """The option values in the content of a file."""
    values: dict[str, Any] = {}
    for key, value in content.items():
        if key == SEARCH and isinstance(value, dict):
            continue
        name = key.replace("-", "_")
        if name in values:
            raise ValueError(f"train: {file} has the option {name} twice")
        if name not in OPTIONS and name not in PATHS:
            similar = difflib.get_close_matches(name, [*PATHS, *OPTIONS], 1)
            hint = f"; did you mean {similar[0]}?" if similar else ""
            raise ValueError(f"train: {file} has an unknown option {key!r}{hint}")
        values[name] = converted(name, value)
        if name in PATHS and not (name == "source" and value in DATASETS):
            values[name] = os.path.join(os.path.dirname(file), value)
    if "source" not in values:
        raise ValueError(f"train: {file} has no source, such as digits or the path of a table")
    return values


def parse_toml(path: str) -> dict[str, Any]:
    """The values in a TOML file."""
    toml = toml_package()
    with open_file("train", path) as file:
        data = file.read(MOST_BYTES + 1)
    # The time that tomllib takes for a key grows with the square of its dots.
    if len(data) > MOST_BYTES or any(line.count(b".") > MOST_DOTS for line in data.splitlines()):
        raise ValueError(f"train: {path} has more than {MOST_BYTES:,} bytes, or {MOST_DOTS} dots in a line")
    try:
        content: dict[str, Any] = toml.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"train: {path} is not valid TOML ({one_line(error)})") from None
    return content


def toml_package() -> Any:
    """The standard library's tomllib, or before Python 3.11 the package tomli."""
    for name in "tomllib", "tomli":
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise ImportError("train: a .toml file needs Python 3.11 or the package tomli: pip install 'cygrad[train]'")
