"""MNIST and Fashion-MNIST, in the files and folders in which they are distributed: IDX, NumPy's .npz, CSV."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from cygrad._files import one_line, open_file
from cygrad._typing import Array
from cygrad.data.idx import read_idx

__all__ = ["MNIST", "load_mnist"]

IDX = re.compile(r"(train|t10k|test)-(images|labels)[-.]idx[13][-.]ubyte(\.gz)?", re.IGNORECASE)
NPZ = re.compile(r"(fashion[-_]?)?mnist\.npz", re.IGNORECASE)
CSV = re.compile(
    r"(?:(?:fashion[-_]?)?mnist(?:_784|[-_](train|test))?|(train)|(test))\.csv(\.gz|\.zip)?", re.IGNORECASE
)
FOLDERS = re.compile(r"raw|data|archive|.*mnist.*|.*(images|labels)[-.]idx.*", re.IGNORECASE)
DEEPEST = 3  # folders below the one that is given, as in data/MNIST/raw
ARRAYS = ("x_train", "y_train", "x_test", "y_test")  # of Keras' mnist.npz
IMAGES, LABELS = {"images": "images-idx3-ubyte", "labels": "labels-idx1-ubyte"}.values()
LABEL_NAMES = ("label", "class", "labels", "target", "y")
ALL_ROWS, TRAINING_ROWS = 70_000, 60_000


class MNIST(NamedTuple):
    """Images (n, 28, 28) of uint8 and labels (n,) of int64, for training and for testing."""

    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array


def load_mnist(path: str | os.PathLike[str]) -> MNIST:
    """Load MNIST or Fashion-MNIST from a folder, or from a file.

    Of a file without a test set, the first four fifths are the training set and the rest is the test set; of one with
    70,000 images, the first 60,000.

    Args:
        path: folder with ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
            ``t10k-labels-idx1-ubyte``, or only the two t10k files; with ``mnist.npz``; or with CSV files such as
            ``mnist_train.csv`` and ``mnist_test.csv``, ``train.csv`` or ``mnist_784.csv``. IDX files may be spelled
            ``train-images.idx3-ubyte``, and compressed as ``.gz``. If the folder has none of these, folders such as
            ``raw`` and ``MNIST/raw`` in it are searched. Or the path of a ``.npz`` or CSV file.

    Returns:
        An ``MNIST`` tuple: train_images, train_labels, test_images, test_labels.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is corrupt, the numbers of images and labels differ, or two folders have the same file.

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> images = bytes([0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(5 * 28 * 28)
    >>> _ = (folder / "t10k-images-idx3-ubyte").write_bytes(images)
    >>> _ = (folder / "t10k-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 5, 7, 2, 1, 0, 4]))
    >>> data = cg.data.load_mnist(folder)
    >>> data.train_images.shape, data.test_labels
    ((4, 28, 28), array([4]))
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        return from_roles(name, find_roles(name))
    return from_npz(name) if name.lower().endswith(".npz") else from_tables(name, None)


def from_roles(folder: str, roles: dict[str, str]) -> MNIST:
    """The data of the files in a folder, see ``find_roles``."""
    if "npz" in roles:
        return from_npz(roles["npz"])
    table = roles.get("table train") or roles.get("table")
    if table is not None:
        return from_tables(table, roles.get("table test"))
    test = load_pair(folder, "t10k", roles)
    if any(role.startswith("train") for role in roles):
        return MNIST(*load_pair(folder, "train", roles), *test)
    return divided(*test)


def divided(images: Array, labels: Array) -> MNIST:
    """A training and a test set from one set."""
    n = TRAINING_ROWS if len(images) == ALL_ROWS else len(images) * 4 // 5
    return MNIST(images[:n], labels[:n], images[n:], labels[n:])


# Search


def find_roles(folder: str) -> dict[str, str]:
    """The paths of files by what they are for: "train images", "t10k labels", "npz", "table", "table train", ….

    They are in the folder, or else in the nearest folders below it. Of a file that is there plain and compressed, it is
    the plain one. Raises ValueError if two folders have files for the same.
    """
    level = [folder]
    for _ in range(DEEPEST + 1):
        roles: dict[str, str] = {}
        for path in level:
            for role, file in roles_in(path).items():
                if role in roles:
                    raise ValueError(f"load_mnist: {roles[role]} and {file} are both there; pass the folder of one")
                roles[role] = file
        if roles:
            return roles
        level = [entry for path in level for entry in folders_in(path)]
    return {}


def entries(folder: str) -> list[str]:
    """The names in a folder, sorted; none if it can't be listed."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def folders_in(folder: str) -> Iterable[str]:
    """The folders in a folder in which the files may be."""
    paths = (os.path.join(folder, name) for name in entries(folder) if FOLDERS.fullmatch(name))
    return [path for path in paths if os.path.isdir(path)]


def roles_in(folder: str) -> dict[str, str]:
    """The paths of files in a folder by what they are for."""
    roles: dict[str, str] = {}
    for name in entries(folder):  # sorted, so that a.gz comes after a
        role, path = role_of(name), os.path.join(folder, name)
        if role and role not in roles and os.path.isfile(path):
            roles[role] = path
    return roles


def role_of(name: str) -> str:
    """What a file of this name is for; "" if it is none of MNIST's."""
    if found := IDX.fullmatch(name):
        part, what = found[1].lower().replace("test", "t10k"), found[2].lower()
        return f"{part} {what}"
    if NPZ.fullmatch(name):
        return "npz"
    if found := CSV.fullmatch(name):
        part = (found[1] or found[2] or found[3] or "").lower()
        return f"table {part}".strip()
    return ""


# Files


def load_pair(folder: str, part: str, roles: dict[str, str]) -> tuple[Array, Array]:
    """The images and labels of ``train`` or ``t10k`` in IDX files."""
    paths = []
    for what, ending in ("images", IMAGES), ("labels", LABELS):
        path = roles.get(f"{part} {what}")
        if path is None:
            name = f"{part}-{ending}"
            raise FileNotFoundError(
                f"load_mnist: neither {name} nor {name}.gz is in {folder}, nor mnist.npz or mnist_train.csv"
            )
        paths.append(path)
    images, labels = map(read_idx, paths)
    check(paths[0], images, 3, paths[1], labels)
    return images, labels.astype(np.int64)


def from_npz(path: str) -> MNIST:
    """The arrays of a ``.npz`` file, as Keras distributes it."""
    from cygrad.serialization import load_npz

    with open_file("load_mnist", path) as file:
        arrays, _ = load_npz(file, path)
    if missing := [name for name in ARRAYS if name not in arrays]:
        raise ValueError(f"load_mnist: {path} must contain {', '.join(ARRAYS)}, got no {missing[0]}")
    x_train, y_train, x_test, y_test = (arrays[name] for name in ARRAYS)
    check(f"x_train in {path}", x_train, 3, "y_train", y_train)
    check(f"x_test in {path}", x_test, 3, "y_test", y_test)
    return MNIST(x_train, y_train.astype(np.int64), x_test, y_test.astype(np.int64))


def check(images_path: str, images: Array, dimensions: int, labels_path: str, labels: Array) -> None:
    """Raise ValueError unless these are images and as many labels, of uint8."""
    for path, array, expected in (images_path, images, dimensions), (labels_path, labels, 1):
        if array.ndim != expected or array.dtype != np.uint8:
            raise ValueError(
                f"load_mnist: {path} must contain a {expected}-dimensional uint8 array, "
                f"got {array.dtype} of shape {array.shape}"
            )
    if len(images) != len(labels):
        raise ValueError(
            f"load_mnist: {images_path} has {len(images)} images, but {labels_path} has {len(labels)} labels"
        )


# CSV


def from_tables(train: str, test: str | None) -> MNIST:
    """The data of CSV files with a label and the pixels of an image in each line. A test file without labels, as in
    Kaggle's competition, counts as none."""
    images, labels = read_images(train)
    if labels is None:
        raise ValueError(f"load_mnist: {train} has no labels: its lines have {images[0].size} values")
    held, held_labels = (None, None) if test is None else read_images(test)
    return divided(images, labels) if held is None or held_labels is None else MNIST(images, labels, held, held_labels)


def read_images(path: str) -> tuple[Array, Array | None]:
    """Images (n, h, h) of uint8 and labels (n,), which may be absent, from a CSV file. The column of labels is found by
    its name; without names it is the first."""
    from cygrad.data.tables.content import read_text

    lines = read_text("load_mnist", path, "utf-8").splitlines()
    if not lines:
        raise ValueError(f"load_mnist: {path} is empty")
    first = [field.strip(" \"'").lower() for field in lines[0].split(",")]
    named = not any(field.replace(".", "", 1).isdigit() for field in first)
    place = next((first.index(name) for name in LABEL_NAMES if name in first), None) if named else 0
    try:
        values = np.loadtxt(
            lines[named:], np.float32, delimiter=",", quotechar="'" if "'" in lines[-1] else '"', ndmin=2
        )
    except (ValueError, IndexError) as error:
        raise ValueError(f"load_mnist: {path} is not a table of pixels ({one_line(error)})") from None
    if not len(values) or not ((values == np.floor(values)) & (values >= 0) & (values < 256)).all():
        raise ValueError(f"load_mnist: {path} must contain lines of integers from 0 to 255")
    width = values.shape[1]
    if place is None or math.isqrt(width) ** 2 == width > 1:
        pixels, labels = values, None
    else:
        pixels, labels = np.delete(values, place, 1), values[:, place].astype(np.int64)
    size = math.isqrt(pixels.shape[1])
    if not size or size**2 != pixels.shape[1]:
        raise ValueError(
            f"load_mnist: the lines of {path} must have a label and the pixels of a square, got {width} values"
        )
    return pixels.astype(np.uint8).reshape(-1, size, size), labels
