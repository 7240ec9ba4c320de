"""Datasets, batches, and the readers of array files, valid or corrupt."""

from __future__ import annotations

import gzip
import hashlib
import inspect
import math
import struct
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cygrad as cg
from cygrad import data
from cygrad.data import digits, idx

Pair = namedtuple("Pair", "x y")


def labelled(n):
    """n rows, each of which contains its index."""
    x = np.arange(2 * n, dtype=np.float32).reshape(n, 2) // 2
    return data.TensorDataset(x, cg.Tensor(np.arange(n)))


def as_list(dataset):
    """The same items in a list, which the fast path does not handle."""
    return [dataset[i] for i in range(len(dataset))]


def assert_batches(batches, size, n, drop_last):
    """Check the batch sizes, and that x and y belong together. Returns the indices in order."""
    sizes = [len(y.array) for _, y in batches]
    whole, rest = divmod(n, size)
    assert sizes == [size] * whole + ([rest] if rest and not drop_last else [])
    for x, y in batches:
        assert x.array.dtype == np.float32 and y.array.dtype == np.int64
        assert x.array.flags.c_contiguous and y.array.flags.c_contiguous
        assert (x.array == y.array[:, None]).all()
    return [int(i) for _, y in batches for i in y.array]


# Datasets


def test_items_are_views():
    dataset = labelled(5)
    x, y = dataset[3]
    assert x.array.tolist() == [3, 3] and y.array.shape == () and y.array == 3
    assert np.shares_memory(x.array, dataset.tensors[0].array)
    x, y = dataset[1:3]
    assert y.array.tolist() == [1, 2] and np.shares_memory(y.array, dataset.tensors[1].array)
    assert dataset[-1][1].array == 4
    with pytest.raises(IndexError):
        dataset[5]


@pytest.mark.parametrize("shapes", [[(3, 2), (4,)], [()], [(2,), ()]])
def test_first_dimensions_must_be_equal(shapes):
    with pytest.raises(ValueError, match=r"TensorDataset: .* the same first dimension, got"):
        data.TensorDataset(*map(np.zeros, shapes))


def test_a_dataset_needs_tensors():
    with pytest.raises(ValueError, match="TensorDataset: expected at least one tensor, got none"):
        data.TensorDataset()


def test_a_dataset_must_define_its_methods():
    with pytest.raises(NotImplementedError, match="must define __len__"):
        len(data.Dataset())
    with pytest.raises(NotImplementedError, match="must define __getitem__"):
        data.Dataset()[0]


@pytest.mark.parametrize(
    ("n", "lengths", "sizes"),
    [
        (10, [3, 7], [3, 7]),
        (10, [10, 0], [10, 0]),
        (10, [0.75, 0.25], [8, 2]),
        (10, [1 / 3, 1 / 3, 1 / 3], [4, 3, 3]),
        (11, [0.5, 0.25, 0.25], [6, 3, 2]),
        (7, [1], [7]),
        (0, [0], [0]),
        (0, [0.5, 0.5], [0, 0]),
        (1, [0.9, 0.1], [1, 0]),
    ],
)
def test_random_split(n, lengths, sizes):
    parts = data.random_split(labelled(n), lengths, np.random.default_rng(0))
    assert [len(part) for part in parts] == sizes
    assert sorted(int(y.array) for part in parts for _, y in as_list(part)) == list(range(n))
    again = data.random_split(labelled(n), lengths, np.random.default_rng(0))
    assert [list(part.indices) for part in parts] == [list(part.indices) for part in again]


@pytest.mark.parametrize("lengths", [[3, 8], [-1, 11], [0.5, 0.4], [math.nan, 1], [2.5, 7.5], [], [math.inf]])
def test_random_split_errors(lengths):
    with pytest.raises(ValueError, match="random_split: "):
        data.random_split(range(10), lengths, np.random.default_rng(0))


# Batches

sizes = st.integers(0, 40), st.integers(1, 45)


@settings(deadline=None)
@given(*sizes, st.booleans(), st.booleans(), st.sampled_from(["whole", "part", "part of part", "items"]))
def test_every_sample_once_an_epoch(n, size, shuffle, drop_last, kind):
    dataset, members = labelled(n), list(range(n))
    if kind.startswith("part"):
        members = members[::-2]
        dataset = data.Subset(dataset, members)
    if kind == "part of part":
        members = [members[i] for i in range(len(members) // 2)]
        dataset = data.Subset(dataset, range(len(dataset) // 2))
    if kind == "items":
        dataset = as_list(dataset)
    generator = np.random.default_rng(n)
    loader = data.DataLoader(dataset, size, shuffle, drop_last=drop_last, generator=generator)
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader)
        seen = assert_batches(batches, size, len(members), drop_last)
        if not drop_last:
            assert sorted(seen) == sorted(members)
        assert len(set(seen)) == len(seen)
        assert shuffle or seen == members[: len(seen)]


@settings(deadline=None)
@given(*sizes, st.booleans(), st.integers(0, 3))
def test_whole_arrays_and_items_give_the_same_batches(n, size, shuffle, seed):
    """The fast path and the general path agree, for equal seeds."""
    loaders = [
        data.DataLoader(dataset, size, shuffle, generator=np.random.default_rng(seed))
        for dataset in (labelled(n), as_list(labelled(n)), labelled(n))
    ]
    for _ in range(2):
        for batches in zip(*loaders, strict=True):
            for tensors in zip(*batches, strict=True):
                for tensor in tensors[1:]:
                    np.testing.assert_array_equal(tensor.array, tensors[0].array, strict=True)


def test_epochs_differ():
    loader = data.DataLoader(labelled(50), 50, True, generator=np.random.default_rng(0))
    first, second = ([y.array.tolist() for _, y in loader] for _ in range(2))
    assert first != second != [list(range(50))]


def with_memory(make):
    """A dataset over arrays, and the arrays."""
    x, y = np.arange(24.0, dtype=np.float32).reshape(12, 2), np.arange(12)
    return make(x, y), (x, y)


def changed_in_place(x, *rest):
    x += 1
    return (x, *rest)


DATASETS = {
    "arrays": lambda x, y: data.TensorDataset(x, y),
    "tensors": lambda x, y: data.TensorDataset(cg.from_numpy(x), cg.from_numpy(y)),
    "subset in order": lambda x, y: data.Subset(data.TensorDataset(x, y), [4, 5, 6, 7]),
    "subset of a range": lambda x, y: data.Subset(data.TensorDataset(x, y), range(3, 9)),
    "subset of a subset": lambda x, y: data.Subset(data.Subset(data.TensorDataset(x, y), range(3, 9)), [0, 1, 2]),
    "random split": lambda x, y: data.random_split(data.TensorDataset(x, y), [6, 6])[0],
    "whole split": lambda x, y: data.random_split(data.TensorDataset(x, y), [1.0])[0],
    "list of pairs": lambda x, y: list(zip(x, y)),
    "list of dicts": lambda x, y: [{"x": a, "y": [b]} for a, b in zip(x, y)],
    "array": lambda x, y: x,
}
LOADING = {
    "plain": {}, "last dropped": {"drop_last": True}, "shuffled": {"shuffle": True}, "sampler": {"sampler": range(3)},
    "threads": {"num_workers": 2}, "collate_fn": {"collate_fn": lambda items: items}, "one": {"batch_size": 1, "collate_fn": lambda items: items[0]},
    "transform": {"transform": changed_in_place},
}  # fmt: skip


@pytest.mark.parametrize("options", LOADING)
@pytest.mark.parametrize("make", DATASETS)
def test_batches_are_not_the_datasets_memory(make, options):
    if options == "transform" and make in ("list of dicts", "array"):
        pytest.skip("the transform takes inputs and targets")

    def change(part):
        if isinstance(part, dict):
            part = list(part.values())
        if isinstance(part, (list, tuple)):
            for item in part:
                change(item)
        elif isinstance(part, cg.Tensor):
            part.array[...] = 99
        elif isinstance(part, np.ndarray):
            part[...] = 99

    dataset, arrays = with_memory(DATASETS[make])
    before = [array.copy() for array in arrays]
    for batch in data.DataLoader(dataset, **{"batch_size": 2, **LOADING[options]}):
        change(batch)
    for array, copy in zip(arrays, before):
        np.testing.assert_array_equal(array, copy)


def test_a_model_that_works_in_place_leaves_the_data_alone():
    dataset, (x, _) = with_memory(DATASETS["arrays"])
    x -= 10
    before = x.copy()
    model = cg.nn.Sequential(cg.nn.ReLU(inplace=True), cg.nn.Linear(2, 12))
    optimizer = cg.optim.SGD(model.parameters(), 0.1)
    trainer = cg.train.Trainer(model, cg.nn.functional.cross_entropy, optimizer, progress=False)
    trainer.fit(data.DataLoader(dataset, 4), data.DataLoader(dataset, 4), epochs=2, check_leakage=False)
    cg.train.evaluate(model, data.DataLoader(dataset, 4), cg.nn.functional.cross_entropy)
    cg.train.predict(model, x)
    cg.train.predict(model, cg.from_numpy(x))
    np.testing.assert_array_equal(x, before)


def test_batches_of_noncontiguous_arrays_are_contiguous():
    x = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    batches = list(data.DataLoader(data.TensorDataset(x), 2))
    assert all(batch[0].array.flags.c_contiguous for batch in batches)
    assert np.concatenate([batch[0].array for batch in batches]).tolist() == x.tolist()


def test_items_of_a_subclass_are_requested():
    class Doubled(data.TensorDataset):
        def __getitem__(self, index):
            return tuple(cg.Tensor(2 * tensor.array) for tensor in super().__getitem__(index))

    ((x,),) = data.DataLoader(Doubled(np.arange(4)), 4)
    assert x.array.tolist() == [0, 2, 4, 6]


def test_negative_indices_count_from_the_end():
    for dataset in (labelled(5), as_list(labelled(5))):
        ((_, y),) = data.DataLoader(data.Subset(dataset, [-1, 0, -5]), 3)
        assert y.array.tolist() == [4, 0, 0]


@pytest.mark.parametrize("indices", [[5], [-6], range(3, 6), np.array([0, 2**40])])
def test_indices_out_of_range(indices):
    with pytest.raises(IndexError):
        list(data.DataLoader(data.Subset(labelled(5), indices), 3))


@pytest.mark.parametrize("indices", [[0.5], np.array([True, False]), [[0, 1]]])
def test_indices_of_other_types_raise(indices):
    with pytest.raises(TypeError, match="DataLoader: indices must be a sequence of integers, got"):
        list(data.DataLoader(data.Subset(labelled(5), indices), 3))


@pytest.mark.parametrize("dataset", [labelled(6), as_list(labelled(6)), data.Subset(labelled(7), range(1, 7))])
@pytest.mark.parametrize("drop_last", [False, True])
def test_sampler(dataset, drop_last):
    order = [5, 0, 0, 3, 1]
    loader = data.DataLoader(dataset, 2, sampler=order, drop_last=drop_last)
    rows = [dataset[i][1].array.item() for i in order]
    expected = [rows[:2], rows[2:4], rows[4:]][: len(loader)]
    assert len(loader) == 3 - drop_last
    assert [[y.array.tolist() for _, y in loader] for _ in range(2)] == [expected] * 2


def test_a_sampler_without_length():
    class Endless:
        def __iter__(self):
            return iter([1, 2])

    loader = data.DataLoader(labelled(3), 2, sampler=Endless())
    assert [y.array.tolist() for _, y in loader] == [[1, 2]]
    with pytest.raises(TypeError, match="the sampler, a Endless, has no length"):
        len(loader)


@pytest.mark.parametrize("size", [0, -3, 2.5, "4"])
def test_batch_sizes(size):
    with pytest.raises(ValueError, match="DataLoader: batch_size must be an integer of at least 1, got"):
        data.DataLoader(labelled(3), size)
    for options in {"num_workers": -1}, {"prefetch_factor": 0}, {"num_workers": "2"}, {"num_workers": 1.5}:
        with pytest.raises(
            ValueError,
            match="DataLoader: num_workers must be a non-negative integer and prefetch_factor a positive one, got",
        ):
            data.DataLoader(labelled(3), 2, **options)


@pytest.mark.parametrize("dataset", [None, 3, iter([1, 2])])
def test_objects_that_are_not_datasets_raise(dataset):
    with pytest.raises(TypeError, match="DataLoader: a dataset must define __len__ and __getitem__, got "):
        data.DataLoader(dataset)


def test_shuffle_or_sampler():
    with pytest.raises(ValueError, match="DataLoader: shuffle and sampler are mutually exclusive, got both"):
        data.DataLoader(labelled(3), shuffle=True, sampler=[0])


def test_custom_collate_fn():
    loader = data.DataLoader(labelled(5), 2, collate_fn=lambda items: [int(y.array) for _, y in items])
    assert list(loader) == [[0, 1], [2, 3], [4]]


class Slow(data.Dataset):
    """Items of which the first take longest. Records the thread that requested each item."""

    def __init__(self, bad=None):
        self.bad, self.threads = bad, {}

    def __len__(self):
        return 23

    def __getitem__(self, i):
        self.threads[i] = threading.current_thread()
        time.sleep(0.0005 * (23 - i))
        if i == self.bad:
            raise KeyError(i)
        return np.float32(i), i


@pytest.mark.parametrize("dataset", [Slow(), labelled(23)], ids=["items", "arrays"])
@pytest.mark.parametrize("factor", [1, 4, 100])
@pytest.mark.parametrize("workers", [1, 3])
def test_threads_change_neither_order_nor_values(dataset, workers, factor):
    def epochs(**options):
        cg.manual_seed(5)
        loader = data.DataLoader(dataset, 3, shuffle=True, **options)
        return [(x.array.tolist(), y.array.tolist(), cg.rand(1).item()) for _ in range(2) for x, y in loader]

    before = threading.active_count()
    assert epochs(num_workers=workers, prefetch_factor=factor) == epochs()
    assert threading.active_count() == before


def test_threads_prefetch_and_stop_when_the_iterator_is_closed():
    dataset = Slow()
    batches = iter(data.DataLoader(dataset, 2, num_workers=2, prefetch_factor=2))
    next(batches)
    batches.close()
    assert threading.main_thread() not in dataset.threads.values()
    assert 2 <= len(dataset.threads) <= 10


def test_an_error_in_a_thread_is_raised_when_its_batch_is_due():
    seen = []
    with pytest.raises(KeyError, match="7"):
        for x, _ in data.DataLoader(Slow(bad=7), 2, num_workers=3):
            seen += x.array.tolist()
    assert seen == [0, 1, 2, 3, 4, 5]


COLLATED = [
    ([1, 2], np.array([1, 2])),
    ([1.5, 2.0], np.array([1.5, 2.0])),
    ([True, False], np.array([True, False])),
    ([np.float32(1), np.float32(2)], np.array([1, 2], np.float32)),
    ([np.ones(2, np.float32)] * 3, np.ones((3, 2), np.float32)),
    ([cg.Tensor(np.ones(2))] * 3, np.ones((3, 2))),
    ([np.zeros((0, 2))] * 2, np.zeros((2, 0, 2))),
]


@pytest.mark.parametrize(("items", "expected"), COLLATED)
def test_collate(items, expected):
    result = data.default_collate(items)
    assert isinstance(result, cg.Tensor)
    np.testing.assert_array_equal(result.array, expected, strict=True)


def test_collate_nested():
    batch = data.default_collate([{"xy": Pair(i, [i, "s"]), "z": (np.ones(2),)} for i in range(3)])
    assert list(batch) == ["xy", "z"] and type(batch["xy"]) is Pair
    assert batch["xy"].x.array.tolist() == [0, 1, 2]
    assert batch["xy"].y[0].array.tolist() == [0, 1, 2] and batch["xy"].y[1] == ["s"] * 3
    assert batch["z"][0].array.shape == (3, 2)


@pytest.mark.parametrize(
    ("items", "error", "message"),
    [
        ([], ValueError, "expected at least one item, got an empty list"),
        ([None, None], TypeError, "items must be tensors.*got NoneType"),
        ([np.ones(2), np.ones(3)], ValueError, "the items have different shapes: "),
        ([(1, 2), (1,)], ValueError, "differ in length"),
        ([{"a": 1}, {"b": 1}], ValueError, "dicts with different keys"),
    ],
)
def test_collate_errors(items, error, message):
    with pytest.raises(error, match=f"default_collate: .*{message}"):
        data.default_collate(items)


# IDX files


def idx_bytes(array):
    """The array in IDX format, written from the format's description."""
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4), (0, 7)])
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_idx(dtype, shape, pack, tmp_path):
    array = np.random.default_rng(0).uniform(0, 100, shape).astype(dtype)
    path = tmp_path / "file"
    path.write_bytes(pack(idx_bytes(array)))
    result = data.read_idx(path)
    np.testing.assert_array_equal(result, array, strict=True)
    assert result.dtype.isnative and result.flags.writeable


WHOLE = idx_bytes(np.arange(12, dtype=np.int32).reshape(3, 4))


def assert_refused(path, content, message=""):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"read_idx: .*file.*{message}") as caught:
        data.read_idx(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_truncated_anywhere(pack, tmp_path):
    whole = pack(WHOLE)
    for end in range(len(whole)):
        assert_refused(tmp_path / "file", whole[:end])
    for end in range(len(WHOLE)):
        assert_refused(tmp_path / "file", pack(WHOLE[:end]))
    assert_refused(tmp_path / "file", pack(WHOLE + b"\0"), "has trailing bytes")


def test_gzip_with_any_byte_corrupted(tmp_path):
    """It is refused, or read correctly if the byte is unused."""
    whole = gzip.compress(WHOLE, mtime=0)
    path = tmp_path / "file"
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1 :])
        try:
            result = data.read_idx(path)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            assert 3 < i < 10 and (result == np.arange(12).reshape(3, 4)).all()


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=64), st.booleans())
def test_idx_of_any_bytes(tmp_path_factory, content, headed):
    path = tmp_path_factory.getbasetemp() / "file"
    path.write_bytes(b"\0\0\x08" + content if headed else content)
    try:
        result = data.read_idx(path)
    except ValueError as error:
        assert "read_idx: " in str(error) and str(path) in str(error)
    else:
        assert headed and idx_bytes(result) == path.read_bytes()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"\0\0\x0a\x01\0\0\0\0", "is not an IDX file: it starts with"),
        (b"\1\0\x08\x01\0\0\0\0", "is not an IDX file: it starts with"),
        (b"\0\0\x08\0", "declares 0 dimensions, expected 1 to 32"),
        (b"\0\0\x08\xff" + bytes(4 * 255), "declares 255 dimensions, expected 1 to 32"),
        (b"\0\0\x0e\x03" + b"\xff" * 12, "exceeds the address space"),
        (b"\0\0\x08\x04" + b"\0" * 4 + b"\xff" * 12, "exceeds the address space"),
        (b"\0\0\x08\x02" + b"\x7f" * 8, "is truncated"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_headers(header, message, pack, tmp_path):
    assert_refused(tmp_path / "file", pack(header), message)


def test_a_header_does_not_allocate_memory(tmp_path, monkeypatch):
    """The header declares 4 GB, which the compressed file can't contain: nothing after the header is read."""
    read = []
    monkeypatch.setattr(idx, "read_upto", lambda file, size: read.append(size) or file.read(size))
    compressed = gzip.compress(b"\0\0\x08\x01" + b"\xff" * 4 + bytes(1000))
    assert_refused(tmp_path / "file", compressed, "is truncated")
    assert read == [4, 4]


# Folders of MNIST


def write_mnist(folder, part, n, pack=bytes, ending=""):
    images = np.random.default_rng(n).integers(0, 256, (n, 28, 28), np.uint8)
    labels = (np.arange(n) % 10).astype(np.uint8)
    (folder / f"{part}-images-idx3-ubyte{ending}").write_bytes(pack(idx_bytes(images)))
    (folder / f"{part}-labels-idx1-ubyte{ending}").write_bytes(pack(idx_bytes(labels)))
    return images, labels.astype(np.int64)


def test_load_mnist(tmp_path):
    written = (*write_mnist(tmp_path, "train", 30, gzip.compress, ".gz"), *write_mnist(tmp_path, "t10k", 20))
    for array, expected in zip(data.load_mnist(tmp_path), written, strict=True):
        np.testing.assert_array_equal(array, expected, strict=True)


def test_load_mnist_from_the_test_files_only(tmp_path):
    images, labels = write_mnist(tmp_path, "t10k", 100)
    loaded = data.load_mnist(tmp_path)
    assert [len(array) for array in loaded] == [80, 80, 20, 20]
    assert (np.concatenate([loaded.train_images, loaded.test_images]) == images).all()
    assert (np.concatenate([loaded.train_labels, loaded.test_labels]) == labels).all()


def test_load_mnist_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="load_mnist: neither t10k-images"):
        data.load_mnist(tmp_path)
    write_mnist(tmp_path, "t10k", 20)
    write_mnist(tmp_path, "train", 30)
    labels = tmp_path / "train-labels-idx1-ubyte"
    labels.write_bytes(idx_bytes(np.zeros(29, np.uint8)))
    with pytest.raises(ValueError, match=r"load_mnist: .* has 30 images, but .* has 29 labels"):
        data.load_mnist(tmp_path)
    labels.write_bytes(idx_bytes(np.zeros((30, 1), np.uint8)))
    with pytest.raises(ValueError, match="must contain a 1-dimensional uint8 array, got uint8 of shape"):
        data.load_mnist(tmp_path)
    labels.unlink()
    with pytest.raises(FileNotFoundError, match="load_mnist: neither train-labels"):
        data.load_mnist(tmp_path)


def distributed_idx(folder, train, test, images, labels):
    """Write IDX files under names made from the patterns `images` and `labels`."""
    for part, (x, y) in (("train", train), ("t10k", test)):
        for name, array in ((images.format(part), x), (labels.format(part), y.astype(np.uint8))):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(idx_bytes(array)) if name.endswith(".gz") else idx_bytes(array))


def distributed_npz(folder, train, test):
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"x_train": train[0], "y_train": train[1], "x_test": test[0], "y_test": test[1]}
    np.savez_compressed(folder / "mnist.npz", **{k: v.astype(np.uint8) for k, v in arrays.items()})


def write_pixels(path, images, labels, header="", first=True, quoted="{}"):
    """Write a CSV file of pixels, the label first or last."""
    rows = [[quoted.format(y), *map(str, x.ravel())] for x, y in zip(images, labels, strict=True)]
    lines = [",".join(row if first else [*row[1:], row[0]]) for row in rows]
    path.write_text("\n".join([*([header] if header else []), *lines]) + "\n")


NAMED = ",".join(f"pixel{i}" for i in range(784))
FILES = {
    "with points": lambda d, a, b: distributed_idx(d, a, b, "{}-images.idx3-ubyte", "{}-labels.idx1-ubyte"),
    "points and gzip": lambda d, a, b: distributed_idx(d, a, b, "{}-images.idx3-ubyte.gz", "{}-labels.idx1-ubyte.gz"),
    "torchvision": lambda d, a, b: distributed_idx(
        d, a, b, "MNIST/raw/{}-images-idx3-ubyte", "MNIST/raw/{}-labels-idx1-ubyte"
    ),
    "raw": lambda d, a, b: distributed_idx(d, a, b, "raw/{}-images-idx3-ubyte.gz", "raw/{}-labels-idx1-ubyte.gz"),
    "a folder each": lambda d, a, b: distributed_idx(
        d, a, b, "{0}-images-idx3-ubyte/{0}-images-idx3-ubyte", "{0}-labels-idx1-ubyte/{0}-labels-idx1-ubyte"
    ),
    "Keras": distributed_npz,
    "Keras in a folder": lambda d, a, b: distributed_npz(d / "data", a, b),
    "CSV": lambda d, a, b: [write_pixels(d / f"mnist_{n}.csv", *x) for n, x in (("train", a), ("test", b))],
    "CSV with names": lambda d, a, b: [
        write_pixels(d / f"fashion-mnist_{n}.csv", *x, header="label," + NAMED) for n, x in (("train", a), ("test", b))
    ],
    "label last": lambda d, a, b: [
        write_pixels(d / f"mnist_{n}.csv", *x, header=NAMED + ",class", first=False, quoted="'{}'")
        for n, x in (("train", a), ("test", b))
    ],
}


@pytest.mark.parametrize("write", FILES.values(), ids=FILES)
def test_load_mnist_as_it_is_distributed(write, tmp_path):
    rng = np.random.default_rng(0)
    parts = [(rng.integers(0, 256, (n, 28, 28), np.uint8), np.arange(n) % 10) for n in (12, 5)]
    write(tmp_path, *parts)
    for array, expected in zip(data.load_mnist(tmp_path), (*parts[0], *parts[1]), strict=True):
        np.testing.assert_array_equal(array, expected, strict=True)


def test_load_mnist_from_one_table(tmp_path):
    images, labels = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8), np.arange(20) % 10
    write_pixels(tmp_path / "train.csv", images, labels, header="label," + NAMED)
    write_pixels(tmp_path / "test.csv", images, labels, header=NAMED)
    lines = (tmp_path / "test.csv").read_text().splitlines()  # without labels, as Kaggle's
    (tmp_path / "test.csv").write_text("\n".join([lines[0], *(line.split(",", 1)[1] for line in lines[1:])]))
    for path in tmp_path, tmp_path / "train.csv":
        loaded = data.load_mnist(path)
        assert [len(array) for array in loaded] == [16, 16, 4, 4]
        np.testing.assert_array_equal(np.concatenate([loaded.train_images, loaded.test_images]), images)
    with pytest.raises(ValueError, match=r"test\.csv has no labels: its lines have 784 values"):
        data.load_mnist(tmp_path / "test.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("1,2,x,4,5\n1,2,3,4,5\n", "is not a table of pixels"),
        ("1,2,3,4,500\n", "must contain lines of integers from 0 to 255"),
        ("1,2,3,4,0.5\n", "must contain lines of integers from 0 to 255"),
        ("1,2,3\n", "must have a label and the pixels of a square, got 3 values"),
        ("1,2,3,4,5\n1,2\n", "is not a table of pixels"),
    ],
)
def test_load_mnist_refuses_other_tables(content, message, tmp_path):
    (tmp_path / "mnist_train.csv").write_text(content)
    with pytest.raises(ValueError, match=f"load_mnist: .*{message}"):
        data.load_mnist(tmp_path)


def test_load_mnist_names_two_candidates(tmp_path):
    for name in "MNIST", "FashionMNIST":
        (tmp_path / name / "raw").mkdir(parents=True)
        write_mnist(tmp_path / name / "raw", "t10k", 20)
    with pytest.raises(ValueError, match=r"FashionMNIST.raw.* and .*MNIST.raw.* are both there"):
        data.load_mnist(tmp_path)
    assert len(data.load_mnist(tmp_path / "MNIST").test_images) == 4


# Digits


def test_digits():
    images, labels = data.load_digits()
    assert images.shape == (1797, 8, 8) and images.dtype == np.uint8
    assert labels.shape == (1797,) and labels.dtype == np.int64
    assert images.min() == 0 and images.max() == 16
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert images[0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert images.flags.c_contiguous and images.flags.owndata and labels.flags.owndata
    of_both = hashlib.sha256(
        images.tobytes() + labels.astype("<i8").tobytes()
    ).hexdigest()  # in the order of the source
    assert of_both == "65e5b4619795efb40c1082f4c350c049e4ad552200d369b6ae99e21eef5e72c5"
    centers = np.stack([images[labels == digit].mean(0) for digit in range(10)])
    nearest = ((images[:, None] - centers) ** 2).sum((2, 3)).argmin(1)
    assert (nearest == labels).mean() > 0.9


def test_digits_credit_their_source():
    folder = Path(digits.__file__).parent
    with np.load(folder / "digits.npz", allow_pickle=False) as file:
        texts = [str(file["attribution"]), digits.__doc__, (folder / "digits.LICENSE.txt").read_text()]
    for text in texts:
        assert all(word in text for word in ("Alpaydin", "Kaynak", "1998", "CC BY 4.0", "10.24432/C50P49"))


# Matrices

MATRICES = {
    "plain": ("1,2\n3,4\n", [[1, 2], [3, 4]]),
    "no line end at the end": ("1,2\n3,4", [[1, 2], [3, 4]]),
    "Windows line ends": ("1,2\r\n3,4\r\n", [[1, 2], [3, 4]]),
    "header": ("a,b\n1,2\n", [[1, 2]]),
    "quoted": ('"a, b","c"\n"1","2"\n', [[1, 2]]),
    "empty lines": ("\n1,2\n\n3,4\n\n", [[1, 2], [3, 4]]),
    "byte order mark": ("\ufeff1,2\n", [[1, 2]]),
    "number formats": (" -1.5e3 , +.5,nan,-inf\n", [[-1500, 0.5, math.nan, -math.inf]]),
    "one": ("7\n", [[7]]),
}


@pytest.mark.parametrize(("text", "expected"), MATRICES.values(), ids=MATRICES)
def test_csv(text, expected, tmp_path):
    path = tmp_path / "matrix.csv"
    path.write_bytes(text.encode())
    np.testing.assert_array_equal(data.read_matrix(path), np.array(expected, np.float32), strict=True)


BAD_MATRICES = {
    "empty": (b"", "has no rows of numbers"),
    "header only": (b"a,b\n", "has no rows of numbers"),
    "ragged": (b"a,b\n1,2\n3\n", "line 3 of .* must have 2 fields, as previous lines do, got 1"),
    "header too short": (b"a\n1,2\n", "line 2 of .* must have 1 fields, as previous lines do, got 2"),
    "text": (b"1,2\n\n3,x\n", "line 3 of .*: expected a number, got 'x'"),
    "text in the first line": (b"1,x\n3,4\n", "line 1 of .*: expected a number, got 'x'"),
    "two header lines": (b"a,b\nc,d\n", "line 2 of .*: expected a number, got 'c'"),
    "missing": (b"1,2\n3,\n", "line 2 of .*: expected a number, got ''"),
    "underscore": (b"1,2\n1_0,3\n", "line 2 of .*: expected a number, got '1_0'"),
    "too large": (b"1,2\n3,1e39\n", "line 2 of .*: 1e[+]39 is too large for float32"),
    "no text": (b"\xff\xfe\x00,2\n", "is not a CSV file of numbers"),
    "zeros": (b"1,\x00\n", "number"),
}


@pytest.mark.parametrize(("content", "message"), BAD_MATRICES.values(), ids=BAD_MATRICES)
def test_bad_csv(content, message, tmp_path):
    path = tmp_path / "matrix.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"read_matrix: .*{message}"):
        data.read_matrix(path)


@pytest.mark.parametrize("dtype", ["f4", ">f8", "i8", "u1", "?", "f2"])
def test_npy(dtype, tmp_path):
    array = np.array([[0, 1, 1], [1, 0, 1]], dtype)
    for table in (array, np.asfortranarray(array)):
        np.save(tmp_path / "matrix.npy", table)
        result = data.read_matrix(tmp_path / "matrix.npy")
        np.testing.assert_array_equal(result, array.astype(np.float32), strict=True)
        assert type(result) is np.ndarray and result.flags.writeable and result.flags.c_contiguous


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), "2-dimensional array"),
        (np.zeros((2, 2), complex), "real numbers"),
        (np.array([["a"]]), "real numbers"),
        (np.zeros((0, 3)), "contains an empty array of shape"),
        (np.array([[None]]), "can't be read as a numeric array"),
        (np.array([[1, 2], [1e300, 0]]), "row 1 of .*: 1e[+]300 is too large for float32"),
    ],
)
def test_bad_npy(array, message, tmp_path):
    np.save(tmp_path / "matrix.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=f"read_matrix: .*{message}"):
        data.read_matrix(tmp_path / "matrix.npy")


def test_npy_truncated_anywhere(tmp_path):
    path = tmp_path / "matrix.npy"
    np.save(path, np.ones((2, 3), np.float32))
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="read_matrix: "):
            data.read_matrix(path)
    path.write_bytes(whole.replace(b"(2, 3)", b"(2000000000000, 3)"))
    with pytest.raises(ValueError, match="read_matrix: "):
        data.read_matrix(path)


def test_other_suffixes_and_missing_files_raise(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.csv or \.npy"):
        data.read_matrix(tmp_path / "matrix.txt")
    with pytest.raises(FileNotFoundError):
        data.read_matrix(tmp_path / "none.csv")


def test_the_old_name_of_read_matrix_points_to_the_new_ones():
    with pytest.raises(AttributeError, match=r"read_table is now cygrad\.data\.read_matrix; Table\.read reads tables"):
        data.read_table  # noqa: B018


def test_readers_are_imported_on_first_use():
    code = (
        "import numpy, sys, threadpoolctl; old = set(sys.modules); import cygrad.data, cygrad.optim.lr_scheduler; "
        + ("print(sorted({'gzip', 'csv', 'json', 'zipfile', 'zlib', 'dataclasses'} & (set(sys.modules) - old)))")
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


# PyTorch's datasets, samplers and options


class Numbers(cg.data.IterableDataset):
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))


def lists(batches):
    return [batch.tolist() if hasattr(batch, "tolist") else batch for batch in batches]


LOADERS = {  # expressions for both libraries: D is their module of data, S a list-like dataset, N an iterable one
    "iterable": "D.DataLoader(N(7), batch_size=3)",
    "iterable without the rest": "D.DataLoader(N(7), batch_size=3, drop_last=True)",
    "iterable items": "D.DataLoader(N(3), batch_size=None)",
    "chain": "D.DataLoader(D.ChainDataset([N(2), N(3)]), batch_size=2)",
    "sum of iterables": "D.DataLoader(N(2) + N(3), batch_size=4)",
    "concat": "D.DataLoader(D.ConcatDataset([S, [9, 8]]), batch_size=3)",
    "items": "D.DataLoader(S, batch_size=None)",
    "items of a sampler": "D.DataLoader(S, batch_size=None, sampler=[3, 1])",
    "batch sampler": "D.DataLoader(S, batch_sampler=[[0, 2], [1], [4, 3, 0]])",
    "batch sampler object": "D.DataLoader(S, batch_sampler=D.BatchSampler(D.SequentialSampler(S), 2, True))",
    "sampler": "D.DataLoader(S, 2, sampler=D.SequentialSampler(S))",
    "position": "D.DataLoader(S, 2, False, None, None, 0, None, False, True)",
    "accepted": "D.DataLoader(S, 2, pin_memory=True, timeout=1, num_workers=1, persistent_workers=True, prefetch_factor=4)",
    "rank": "D.DataLoader(S, 2, sampler=DS(S, num_replicas=2, rank=1, shuffle=False))",
    "rank of all": "D.DataLoader(S, 2, sampler=DS(S, num_replicas=4, rank=3, shuffle=False))",
    "rank without the rest": "D.DataLoader(S, 2, sampler=DS(S, num_replicas=3, rank=1, shuffle=False, drop_last=True))",
    "collate": "D.DataLoader(S, 2, collate_fn=lambda items: sum(items))",
    "item collate": "D.DataLoader(S, None, collate_fn=lambda item: item + 1)",
    "stack": "[list(map(int, D.StackDataset(S, S)[i])) for i in range(2)]",
    "stack by name": "[D.StackDataset(a=S, b=S)[1]]",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LOADERS)
def test_loaders_give_what_pytorchs_give(name):
    torch = pytest.importorskip("torch")

    class TorchNumbers(torch.utils.data.IterableDataset):
        __init__, __iter__ = Numbers.__init__, Numbers.__iter__

    worlds = []
    for D, N, DS in (
        (cg.utils.data, Numbers, cg.data.DistributedSampler),
        (torch.utils.data, TorchNumbers, torch.utils.data.distributed.DistributedSampler),
    ):
        class Squares(D.Dataset):
            def __getitem__(self, i):
                return i * i

            def __len__(self):
                return 5

        loader = eval(LOADERS[name], {"D": D, "N": N, "DS": DS, "S": Squares()})
        if "worker" in LOADERS[name] and D is torch.utils.data:
            loader = D.DataLoader(Squares(), 2)
        worlds.append((lists(loader), len(loader) if "iterable" not in name and name not in ("chain", "sum of iterables") else 0))
    assert worlds[0] == worlds[1]


def test_samplers_draw_what_they_promise():
    D, g = cg.data, cg.Generator().manual_seed(1)
    data = list(range(10))
    assert sorted(D.RandomSampler(data, generator=g)) == data
    assert len(list(D.RandomSampler(data, num_samples=25, generator=g))) == 25 == len(D.RandomSampler(data, num_samples=25))
    drawn = list(D.RandomSampler(data, True, 1000, g))
    assert len(drawn) == 1000 and set(drawn) == set(data)
    assert sorted(D.SubsetRandomSampler([5, 7, 9], g)) == [5, 7, 9]
    weighted = list(D.WeightedRandomSampler([0, 1, 3], 4000, generator=g))
    assert 0 not in weighted and 0.70 < weighted.count(2) / 4000 < 0.80
    assert sorted(D.WeightedRandomSampler(cg.tensor([1.0, 1.0, 0.0]), 2, False, g)) == [0, 1]
    ranks = [D.DistributedSampler(data, 3, rank) for rank in range(3)]
    first = [list(rank) for rank in ranks]
    assert first == [list(rank) for rank in ranks] and {i for rank in first for i in rank} == set(data)
    ranks[0].set_epoch(1)
    assert list(ranks[0]) != first[0]
    loader = D.DataLoader(data, 4, shuffle=True, generator=g)
    assert isinstance(loader.sampler, D.RandomSampler) and isinstance(loader.batch_sampler, D.BatchSampler) and len(loader.batch_sampler) == 3
    cg.manual_seed(3)
    one = lists(D.DataLoader(data, 4, shuffle=True))
    cg.manual_seed(3)
    assert lists(D.DataLoader(data, 4, shuffle=True)) == one


def test_a_loader_can_be_made_again_from_its_attributes():
    dataset = data.TensorDataset(cg.arange(10))
    shuffled = {"batch_size": 4, "shuffle": True, "drop_last": True}
    for options in (shuffled, {"batch_sampler": [[0, 1], [5]]}, {"batch_size": None}):
        loader = data.DataLoader(dataset, pin_memory=True, timeout=3, **options)
        known = inspect.signature(data.DataLoader.__init__).parameters
        public = {name: value for name, value in vars(loader).items() if name[0] != "_"}
        assert public.keys() <= known.keys() and (loader.pin_memory, loader.timeout, loader.in_order) == (True, 3, True)
        del public["batch_size"], public["drop_last"]
        again = data.DataLoader(**public, batch_sampler=[[2, 3], [4]])
        assert [batch[0].tolist() for batch in again] == [[2, 3], [4]]


def test_threads_of_a_loader_know_their_number():
    seen, numbers = [], []

    class Asking(cg.data.Dataset):
        def __len__(self):
            return 12

        def __getitem__(self, i):
            info = cg.data.get_worker_info()
            seen.append((info.id, info.num_workers, info.dataset is self))
            return i

    list(cg.data.DataLoader(Asking(), 2, num_workers=2, worker_init_fn=numbers.append))
    assert set(numbers) <= {0, 1} and 0 in numbers
    assert {s[1:] for s in seen} == {(2, True)} and {s[0] for s in seen} <= {0, 1}
    assert cg.data.get_worker_info() is None


@pytest.mark.parametrize(
    "make",
    [
        lambda D: D.DataLoader([1], batch_sampler=[[0]], shuffle=True), lambda D: D.DataLoader([1], batch_sampler=[[0]], batch_size=2),
        lambda D: D.DataLoader([1], batch_size=None, drop_last=True), lambda D: D.DataLoader(Numbers(3), shuffle=True),
        lambda D: D.DataLoader(Numbers(3), sampler=[0]), lambda D: D.ConcatDataset([]), lambda D: D.ConcatDataset([Numbers(2)]),
        lambda D: D.StackDataset([1], [1, 2]), lambda D: D.StackDataset(), lambda D: D.StackDataset([1], a=[1]), lambda D: D.RandomSampler([1], num_samples=0),
        lambda D: D.WeightedRandomSampler([-1], 1), lambda D: D.WeightedRandomSampler([1], 0), lambda D: D.BatchSampler([1], 0, False),
        lambda D: D.DistributedSampler([1], 2, 2),
    ],
)  # fmt: skip
def test_options_that_exclude_each_other_are_refused(make):
    with pytest.raises(ValueError, match=r"(DataLoader|Dataset|Sampler): "):
        make(cg.data)


def test_a_generic_dataset_and_negative_indices():
    class Typed(cg.data.Dataset["int"]):
        pass

    both = cg.data.TensorDataset(cg.arange(3)) + cg.data.TensorDataset(cg.arange(2))
    assert issubclass(Typed, cg.data.Dataset) and len(both) == 5 and both[-1][0].item() == 1
    with pytest.raises(IndexError, match="index 5 is out of range for 5 items"):
        both[5]
    assert cg.data.default_convert({"a": (np.ones(2), "x")})["a"][0].tolist() == [1, 1]


# Comparisons for tests


@pytest.mark.parametrize(
    ("actual", "expected", "options"),
    [
        ("T.ones(2)", "T.ones(2)", {}), ("T.ones(2)", "T.ones(2) + 1e-6", {}), ("T.ones(2)", "T.ones(2) + 1e-4", {}), ("T.ones(2)", "T.ones(3)", {}),
        ("T.ones(2)", "T.ones(2).double()", {}), ("T.ones(2)", "T.ones(2).double()", {"check_dtype": False}), ("T.tensor([1])", "T.tensor([2])", {}),
        ("T.tensor([float('nan')])", "T.tensor([float('nan')])", {}), ("T.tensor([float('nan')])", "T.tensor([float('nan')])", {"equal_nan": True}),
        ("[T.ones(1), 2.0]", "[T.ones(1), 2.0]", {}), ("[T.ones(1), 2.0]", "[T.ones(1), 3.0]", {}), ("{'a': T.ones(1)}", "{'b': T.ones(1)}", {}),
        ("T.ones(2)", "T.ones(2) * 1.05", {"rtol": 0.1, "atol": 0}), ("T.ones(2)", "T.ones(2)", {"rtol": 0.1}), ("T.tensor(True)", "T.tensor(False)", {}),
    ],
)  # fmt: skip
def test_assert_close_agrees_with_pytorchs(actual, expected, options):
    torch = pytest.importorskip("torch")
    outcomes = []
    for T in (cg, torch):
        try:
            T.testing.assert_close(eval(actual, {"T": T}), eval(expected, {"T": T}), **options)
            outcomes.append(None)
        except Exception as error:
            outcomes.append(type(error).__name__)
    assert outcomes[0] == outcomes[1]
