"""Augmentation of token sequences."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg
from cygrad.data import DataLoader, augment

SYNONYMS = {1: [11, 12], 3: [13], 5: []}
TRANSFORMS = {
    "drop": augment.DropTokens(0.3),
    "swap": augment.SwapTokens(0.3),
    "replace": augment.ReplaceTokens(SYNONYMS, 0.5),
    "insert": augment.InsertTokens(SYNONYMS, 0.5),
}
each = pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
RNG = np.random.default_rng(0)
LISTS = [RNG.integers(1, 7, n).tolist() for n in (0, 1, 2, 9, 30, 8, 17)]


def seeded(transform, *batch, seed=1):
    return transform(*batch, generator=cg.Generator().manual_seed(seed))


def as_array(lists, width=30, dtype=np.int64):
    rows = np.zeros((len(lists), width), dtype)
    for row, tokens in zip(rows, lists):
        row[: len(tokens)] = tokens
    return rows


@each
def test_lists_and_padded_arrays_give_equal_results(transform):
    lists = seeded(transform, LISTS)
    array = seeded(transform, as_array(LISTS))
    np.testing.assert_array_equal(array, as_array(lists, array.shape[1]))
    assert array.shape[1] >= 30 and lists != LISTS
    assert all(isinstance(token, int) for row in lists for token in row)


@each
def test_dtypes_tensors_and_labels_are_preserved(transform):
    rows, labels = seeded(transform, cg.Tensor(as_array(LISTS, dtype=np.int32)), cg.tensor([1] * 7))
    assert isinstance(rows, cg.Tensor) and rows.array.dtype == np.int32 and labels.tolist() == [1] * 7


@each
@pytest.mark.parametrize("threads", [2, 8])
def test_results_do_not_depend_on_thread_count_and_batch_size(transform, threads):
    many = np.random.default_rng(1).integers(0, 7, (3000, 20))
    before = cg.get_num_threads()
    try:
        cg.set_num_threads(1)
        expected = seeded(transform, many)
        cg.set_num_threads(threads)
        np.testing.assert_array_equal(seeded(transform, many), expected)
        part = seeded(transform, many[:100])
        np.testing.assert_array_equal(part, expected[:100, : part.shape[1]])
    finally:
        cg.set_num_threads(before)


def test_dropping_preserves_the_order_and_drops_the_given_fraction():
    row = list(range(1, 10_001))
    kept = seeded(augment.DropTokens(0.3), [row])[0]
    assert kept == sorted(kept) and 6800 < len(kept) < 7200
    only = seeded(augment.DropTokens(1.0), [[t] * 3 + [7] for t in range(300)])
    assert all(len(row) == 1 for row in only) and 40 < sum(row == [7] for row in only) < 110


def test_swapping_preserves_the_set_of_tokens():
    row = list(range(2000))
    changed = seeded(augment.SwapTokens(0.1), [row, [4], []])
    assert sorted(changed[0]) == row and changed[1:] == [[4], []]
    assert 250 < sum(a != b for a, b in zip(row, changed[0])) < 450


def test_replacing_uses_only_synonyms():
    row = [1, 2, 3, 5, 99, -4] * 1000
    changed = seeded(augment.ReplaceTokens(SYNONYMS, 0.5), [row])[0]
    seen = {token: {b for a, b in zip(row, changed) if a == token} for token in set(row)}
    assert seen == {1: {1, 11, 12}, 2: {2}, 3: {3, 13}, 5: {5}, 99: {99}, -4: {-4}}
    assert 400 < changed.count(13) < 600 and 200 < changed.count(11) < 300


def test_inserting_preserves_the_existing_tokens():
    row = [1, 2] * 500
    changed = seeded(augment.InsertTokens(SYNONYMS, 0.4), [row])[0]
    assert [t for t in changed if t < 10] == row
    # p is 0.4, and the token whose synonym would be inserted has one in half of the cases
    assert 150 < len(changed) - len(row) < 250 and {t for t in changed if t > 10} == {11, 12}


def test_inserting_stops_at_max_length():
    rows = as_array([[1] * 20, [1] * 5], 20)
    cut = seeded(augment.InsertTokens(SYNONYMS, 1.0, max_length=24), rows)
    assert cut.shape == (2, 24) and (cut[0] != 0).all() and (cut[1] != 0).sum() == 10
    assert seeded(augment.InsertTokens(SYNONYMS, 1.0), rows).shape == (2, 40)
    assert [len(r) for r in seeded(augment.InsertTokens(SYNONYMS, 1.0, max_length=3), [[1, 1, 1]])] == [3]


def test_a_custom_padding_token():
    rows = np.array([[0, 5, 0, 9, 9], [9, 9, 9, 9, 9]])
    assert sorted(seeded(augment.SwapTokens(1.0, padding=9), rows)[0, :3].tolist()) == [0, 0, 5]
    np.testing.assert_array_equal(seeded(augment.DropTokens(1.0, padding=9), rows)[:, 1:], 9)


def test_in_a_loader():
    rows = as_array(LISTS)
    loader = DataLoader(
        cg.data.TensorDataset(rows, np.arange(7)), 3, transform=augment.Compose(list(TRANSFORMS.values()))
    )
    batches = list(loader)
    assert [len(y.array) for _, y in batches] == [3, 3, 1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: augment.DropTokens(0.5)([[2**70]]), OverflowError, "DropTokens: tokens must fit in 64 bits, got [1180591620717411303424]"),
        (lambda: augment.InsertTokens({3: [300]})(np.array([[3]], np.uint8)), OverflowError, "InsertTokens: synonyms from 300 to 300 do not fit in uint8, the tokens' dtype"),
        (lambda: augment.DropTokens(1.5), ValueError, "DropTokens: p must lie in [0, 1], got 1.5"),
        (lambda: augment.DropTokens(0.5)(np.zeros(3, int)), TypeError, "DropTokens: tokens must be an integer array (N, L) or a list of lists of integers, got int64 of shape (3,)"),
        (lambda: augment.DropTokens(0.5)(np.zeros((2, 3))), TypeError, "DropTokens: tokens must be an integer array (N, L) or a list of lists of integers, got float64 of shape (2, 3)"),
        (lambda: augment.SwapTokens(0.5)([["a"]]), TypeError, "SwapTokens: tokens must be integers, got ['a']"),
        (lambda: augment.ReplaceTokens({-1: [2]}), TypeError, "ReplaceTokens: synonyms must map non-negative integer tokens to lists of integers, got the key -1"),
        (lambda: augment.ReplaceTokens({"a": ["b"]}), TypeError, "ReplaceTokens: synonyms must map non-negative integer tokens to lists of integers, got the key 'a'"),
        (lambda: augment.InsertTokens({}, max_length=0), ValueError, "InsertTokens: max_length must be at least 1, got 0"),
    ],
)  # fmt: skip
def test_bad_calls_raise(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
