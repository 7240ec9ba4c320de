"""Pickled objects in ``.pt`` files: whole modules, which scripts save, and load with ``weights_only=False``."""

from __future__ import annotations

import pickle
import zipfile
from typing import IO, Any

__all__ = ["ENTRY", "load_pickled", "save_pickled"]

ENTRY = "archive/object.pkl"


def save_pickled(file: IO[bytes], obj: Any) -> None:
    """Write any object that pickle can write.

    Raises:
        TypeError: pickle can't write it.
    """
    try:
        data = pickle.dumps(obj, 4)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TypeError(f"save: a {type(obj).__name__} can't be saved ({error})") from None
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(zipfile.ZipInfo(ENTRY, (1980, 1, 1, 0, 0, 0)), data)


def load_pickled(archive: zipfile.ZipFile) -> Any:
    """Read it. The code that the file names is executed."""
    return pickle.loads(archive.read(ENTRY))
