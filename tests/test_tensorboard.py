"""TensorBoard's event files: read by an independent reader, and by TensorBoard itself over HTTP."""

from __future__ import annotations

import io
import json
import math
import os
import random
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from collections import defaultdict

import numpy as np
import pytest

import cygrad as cg
from cygrad.integrations.tensorboard import SummaryWriter, TensorBoard, summary
from cygrad.integrations.tensorboard.graph import trace_boxes
from cygrad.integrations.tensorboard.protobuf import double, doubles, integer, real, varint
from cygrad.integrations.tensorboard.reading import last_step
from cygrad.integrations.tensorboard.tfrecord import crc32c, masked, record
from cygrad.integrations.tracker import TrackerWarning
from tests.tracked import STEPS, Stop, batches, fit, trainer

# A reader


def bitwise_crc32c(data):
    """The checksum, computed bit by bit as RFC 3720 defines it."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 * (value & 1))
    return value ^ 0xFFFFFFFF


def checksum(data):
    value = bitwise_crc32c(data)
    return (((value >> 15) | (value << 17) & 0xFFFFFFFF) + 0xA282EAD8) % 2**32


def records(path):
    """The data of every record in a file, with verified checksums."""
    with open(path, "rb") as file:
        content = file.read()
    position = 0
    while position < len(content):
        length, checked = struct.unpack_from("<QI", content, position)
        assert checked == checksum(content[position : position + 8])
        data = content[position + 12 : position + 12 + length]
        assert len(data) == length
        assert struct.unpack_from("<I", content, position + 12 + length) == (checksum(data),)
        yield data
        position += length + 16


def read_varint(data, position):
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def fields(data):
    """The values of each field of a message, by field number."""
    result, position = defaultdict(list), 0
    while position < len(data):
        key, position = read_varint(data, position)
        kind = key & 7
        if kind == 0:
            value, position = read_varint(data, position)
        elif kind == 1:
            (value,), position = struct.unpack_from("<d", data, position), position + 8
        elif kind == 5:
            (value,), position = struct.unpack_from("<f", data, position), position + 4
        else:
            assert kind == 2
            size, position = read_varint(data, position)
            value, position = data[position : position + size], position + size
            assert len(value) == size
        result[key >> 3].append(value)
    return result


def events(folder):
    """The events of all files in a folder."""
    names = sorted(os.listdir(folder))
    return [fields(data) for name in names if "tfevents" in name for data in records(os.path.join(folder, name))]


def values(folder):
    """(tag, step, fields) of every value of every summary."""
    result = []
    for event in events(folder):
        for content in event[5]:
            for value in fields(content)[1]:
                inner = fields(value)
                result.append((inner[1][0].decode(), (event[2] or [0])[0], inner))
    return result


def scalars(folder):
    return {(tag, step): inner[2][0] for tag, step, inner in values(folder) if inner[2]}


# Framing and encoding


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # these four: RFC 3720, appendix B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_crc32c_of_known_data(data, value):
    assert crc32c(data) == value == bitwise_crc32c(data)


def test_crc32c_agrees_with_its_definition():
    data = random.Random(0).randbytes(1000)
    assert all(crc32c(data[:n]) == bitwise_crc32c(data[:n]) for n in (1, 2, 7, 255, 256, 257, 511, 512, 513, 1000))


def test_records_are_framed():
    framed = record(b"abc")
    assert framed[:8] == b"\x03" + bytes(7) and framed[12:15] == b"abc" and len(framed) == 19
    assert struct.unpack("<I", framed[15:]) == (checksum(b"abc"),) == (masked(crc32c(b"abc")),)


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (varint(0), b"\x00"),
        (varint(127), b"\x7f"),
        (varint(128), b"\x80\x01"),
        (varint(-1), b"\xff" * 9 + b"\x01"),
        (integer(1, 150), b"\x08\x96\x01"),  # the example of the specification
        (integer(16, 1), b"\x80\x01\x01"),
        (double(1, 1.0), b"\x09" + struct.pack("<d", 1)),
        (real(2, 0.5), b"\x15" + struct.pack("<f", 0.5)),
        (real(2, 1e300), b"\x15" + struct.pack("<f", math.inf)),
        (doubles(6, np.array([1.0, 2.0])), b"\x32\x10" + struct.pack("<2d", 1, 2)),
    ],
)
def test_protobuf_encoding(encoded, expected):
    assert encoded == expected


# The writer


def test_file_begins_with_its_version(tmp_path):
    SummaryWriter(tmp_path).close()
    (first,) = events(tmp_path)
    assert first[3] == [b"brain.Event:2"] and abs(first[1][0] - time.time()) < 60


def test_scalars_are_read_back(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("a", 0.5, 1, walltime=123.5)
        writer.add_scalar("b/c", cg.tensor([2.0]), 2**40)
        writer.add_scalar("a", math.nan, 3)
        writer.add_scalar("d", np.float64(-1))
    values = scalars(tmp_path)
    assert values["a", 1] == 0.5 and values["b/c", 2**40] == 2 and math.isnan(values["a", 3]) and values["d", 0] == -1
    assert events(tmp_path)[1][1] == [123.5]


def test_scalars_of_one_chart_are_separate_runs(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalars("loss", {"train": 1.0, "valid": 2.0}, 5)
    assert scalars(tmp_path / "loss_train") == {("loss", 5): 1.0}
    assert scalars(tmp_path / "loss_valid") == {("loss", 5): 2.0}


def histogram_of(folder):
    ((_, _, inner),) = values(folder)
    message = fields(inner[5][0])
    edges, counts = (np.frombuffer(message[number][0], "<f8") for number in (6, 7))
    return (
        {
            "min": message[1][0],
            "max": message[2][0],
            "num": message[3][0],
            "sum": message[4][0],
            "squares": message[5][0],
        },
        edges,
        counts,
    )


@pytest.mark.parametrize("bins", [1, 7, 30, "tensorflow", "auto", [-10.0, -1.0, 0.0, 1.0, 10.0]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_histograms_count(tmp_path, bins, dtype):
    x = np.random.default_rng(0).standard_normal((50, 20)).astype(dtype)
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("w", cg.tensor(x), 3, bins=bins)
    statistics, edges, counts = histogram_of(tmp_path)
    assert statistics["num"] == counts.sum() == 1000
    np.testing.assert_allclose([statistics["min"], statistics["max"]], [x.min(), x.max()])
    np.testing.assert_allclose(
        [statistics["sum"], statistics["squares"]], [x.sum(dtype=float), np.square(x, dtype=float).sum()]
    )
    assert (np.diff(edges) > 0).all()
    if not isinstance(bins, str):
        expected, expected_edges = np.histogram(x, bins)
        covered = (
            slice(None)
            if isinstance(bins, int)
            else slice(np.flatnonzero(expected)[0], np.flatnonzero(expected)[-1] + 1)
        )
        np.testing.assert_allclose(edges, expected_edges[1:][covered], rtol=1e-6, atol=1e-6)
        assert np.abs(counts - expected[covered]).sum() <= (2 if dtype == np.float32 else 0)


@pytest.mark.parametrize(
    "values", [[0.0] * 5, [3.0], [1, 2, 3], [True, False], [1e-30, 1e30], [-5e-324, 5e-324], [-3e38, 3e38]]
)
@pytest.mark.parametrize("bins", [30, "tensorflow"])
@pytest.mark.parametrize("dtype", [None, np.float32])
def test_histograms_of_unusual_values(tmp_path, values, bins, dtype):
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("w", np.array(values, dtype), bins=bins)
    statistics, _, counts = histogram_of(tmp_path)
    assert statistics["num"] == counts.sum() == len(values)


def test_histograms_ignore_non_finite_values(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("w", [1.0, math.nan, math.inf, 2.0], bins=2)
        with pytest.raises(ValueError, match="add_histogram: v has no finite values"):
            writer.add_histogram("v", [math.nan])
    statistics, _, counts = histogram_of(tmp_path)
    assert statistics["num"] == 2 and counts.tolist() == [1, 1]


def test_buckets_are_merged(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("w", np.arange(100.0), bins=50, max_bins=10)
    _, edges, counts = histogram_of(tmp_path)
    assert counts.tolist() == [10.0] * 10 and len(edges) == 10 and edges[-1] == 99


def decoded_png(data):
    """The pixels of a PNG file without filters."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    stream, parts = io.BytesIO(data[8:]), {}
    while header := stream.read(8):
        length, name = struct.unpack(">I4s", header)
        content = stream.read(length)
        assert struct.unpack(">I", stream.read(4)) == (zlib.crc32(name + content),)
        parts[name] = content
    width, height, depth, kind = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    assert depth == 8 and parts[b"IEND"] == b""
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, {0: 1, 2: 3, 6: 4}[kind])


PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 13


@pytest.mark.parametrize(
    ("image", "axes", "expected"),
    [
        (PIXELS, "HWC", PIXELS),
        (PIXELS.transpose(2, 0, 1), "CHW", PIXELS),
        (PIXELS[..., :1], "HWC", PIXELS[..., :1]),
        (PIXELS[..., 0], "HW", PIXELS[..., :1]),
        (PIXELS[..., 0] / 255, "HW", PIXELS[..., :1]),
        (np.array([[-1.0, 0.5, 2.0]]), "HW", np.array([[[0], [128], [255]]])),
    ],
)
def test_images_are_png_files(tmp_path, image, axes, expected):
    with SummaryWriter(tmp_path) as writer:
        writer.add_image("i", image, 1, dataformats=axes)
    ((_, _, inner),) = values(tmp_path)
    message = fields(inner[4][0])
    assert (message[1], message[2], message[3]) == ([expected.shape[0]], [expected.shape[1]], [expected.shape[2]])
    np.testing.assert_array_equal(decoded_png(message[4][0]), expected)


def test_several_images_become_one(tmp_path):
    images = np.arange(1, 11, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 4, 5), np.uint8)
    with SummaryWriter(tmp_path) as writer:
        writer.add_images("i", images)
    ((_, _, inner),) = values(tmp_path)
    pixels = decoded_png(fields(inner[4][0])[4][0])[..., 0]
    assert pixels.shape == (2 * 4 + 2, 8 * 5 + 7 * 2)
    assert pixels[0, 0] == 1 and pixels[0, 7] == 2 and pixels[6, 7] == 10 and pixels[0, 5] == 0


@pytest.mark.parametrize(
    ("shape", "axes"), [((2, 3), "CHW"), ((2, 3, 5), "HWC"), ((2, 3, 3), "HHC"), ((0, 3, 3), "HWC")]
)
def test_invalid_images_are_refused(tmp_path, shape, axes):
    with SummaryWriter(tmp_path) as writer, pytest.raises(ValueError, match="add_image: "):
        writer.add_image("i", np.zeros(shape), dataformats=axes)


def tensor_of(value):
    """A tensor of a value, by its dtype's number, its shape and its content."""
    message = fields(value[8][0])
    shape = [fields(size)[1][0] for size in fields(message[2][0])[2]]
    return message[1][0], shape, (message[4] or message[8])[0]


def test_curves_sounds_tensors_and_charts_are_messages_of_their_plugins(tmp_path):
    labels, chances = np.array([1, 0, 1, 1, 0]), cg.tensor([0.9, 0.2, 0.55, 0.4, 0.6])
    with SummaryWriter(tmp_path) as writer:
        writer.add_pr_curve("curve", labels, chances, 1, num_thresholds=11)
        writer.add_audio("sound", cg.tensor([[0.0, 0.5, -2.0]]), 2, sample_rate=8000)
        writer.add_tensor("numbers", cg.arange(6).reshape(2, 3), 3)
        writer.add_custom_scalars_multilinechart(["a", "b"], "losses", "both")
        writer.add_custom_scalars_marginchart(["a", "low", "high"])
    layouts = [tensor_of(inner)[2] for tag, _, inner in values(tmp_path) if tag == "custom_scalars__config__"]
    found = {tag: inner for tag, _, inner in values(tmp_path)}
    dtype, shape, content = tensor_of(found["curve"])
    rows = np.frombuffer(content, "<f4").reshape(shape)
    assert (dtype, shape) == (1, [6, 11])
    for k in range(11):  # by definition
        said = np.floor(chances.numpy() * 10) >= k
        tp, fp = int((said & (labels == 1)).sum()), int((said & (labels == 0)).sum())
        assert rows[:, k].tolist() == pytest.approx([tp, fp, 2 - fp, 3 - tp, tp / max(tp + fp, 1e-7), tp / 3])
    dtype, shape, content = tensor_of(found["numbers"])
    assert (dtype, shape, np.frombuffer(content, "<i8").tolist()) == (9, [2, 3], [0, 1, 2, 3, 4, 5])
    sound = fields(found["sound"][6][0])
    assert (
        sound[1] == [8000] and sound[3] == [3] and sound[4][0].endswith(np.array([0, 16383, -32767], "<i2").tobytes())
    )
    assert b"losses" in layouts[0] and b"high" in layouts[1]


def test_wrong_curves_sounds_and_charts_are_named(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        for call, text in (
            (lambda: writer.add_pr_curve("a", [1], [1.5]), "predictions must lie in"),
            (lambda: writer.add_audio("a", cg.zeros(2, 3)), "one channel"),
            (lambda: writer.add_custom_scalars({"a": {"b": ["Margin", ["c"]]}}), "must be"),
            (lambda: writer.add_embedding(cg.zeros(3, 2), metadata=["one"]), "3 rows, but 1 labels"),
            (lambda: writer.add_embedding(cg.zeros(3)), "a row for each item"),
        ):
            with pytest.raises(ValueError, match=text):
                call()


def test_embeddings_are_files_of_the_projector(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_embedding(
            cg.tensor([[1.0, 2.0], [3.0, 4.5], [5.0, 6.0]]), ["a", "b", "c"], cg.rand(3, 1, 4, 6), tag="words"
        )
        writer.add_embedding(cg.zeros(2, 2), [[1, "x"], [2, "y"]], global_step=7, metadata_header=["number", "letter"])
    folder = tmp_path / "00000" / "words"
    assert (folder / "tensors.tsv").read_text() == "1.0\t2.0\n3.0\t4.5\n5.0\t6.0\n" and (
        folder / "metadata.tsv"
    ).read_text() == "a\nb\nc\n"
    width, height = struct.unpack(">II", (folder / "sprite.png").read_bytes()[16:24])
    assert (height, width) == (8, 12)
    assert (tmp_path / "00007" / "default" / "metadata.tsv").read_text() == "number\tletter\n1\tx\n2\ty\n"
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert (
        config.count("embeddings {") == 2 and 'tensor_name: "words:00000"' in config and "single_image_dim: 6" in config
    )


def test_figures_are_images(tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figure = pyplot.figure(figsize=(1, 0.5), dpi=40)
    with SummaryWriter(tmp_path) as writer:
        writer.add_figure("plot", figure, 3)
    assert not pyplot.fignum_exists(figure.number)
    ((tag, step, inner),) = values(tmp_path)
    assert (tag, step) == ("plot", 3) and fields(inner[4][0])[1] == [20] and fields(inner[4][0])[2] == [40]


def test_writes_when_the_queue_is_full_and_on_flush(tmp_path):
    writer = SummaryWriter(tmp_path, max_queue=3)
    writer.add_scalar("a", 1, 1)
    assert not scalars(tmp_path)
    writer.flush()
    assert len(scalars(tmp_path)) == 1
    for step in (2, 3, 4):
        writer.add_scalar("a", 1, step)
    assert len(scalars(tmp_path)) == 4
    writer.close()
    writer.add_scalar("a", 1, 5)  # in a new file, as with PyTorch
    writer.close()
    writer.close()
    assert len(scalars(tmp_path)) == 5
    assert len(list(tmp_path.iterdir())) == 2


def test_default_folder_is_below_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(comment="-mine") as writer:
        assert writer.get_logdir().startswith("runs") and writer.get_logdir().endswith("-mine")


class FullDisk:
    """A file on a disk that accepts half of a write, and nothing more until space is freed."""

    closed = room = False

    def __init__(self, file):
        self.file = file

    def write(self, data):
        if self.room:
            return self.file.write(data)
        self.room = True
        self.file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_a_full_disk_leaves_complete_records_and_loses_none(tmp_path):
    writer = SummaryWriter(tmp_path)
    writer._file = FullDisk(writer._file)
    writer.add_scalar("a", 1, 1)
    with pytest.raises(OSError, match="No space left"):
        writer.flush()
    assert len(events(tmp_path)) == 1
    writer.add_scalar("a", 2, 2)
    writer.close()
    writer._file.file.close()
    assert scalars(tmp_path) == {("a", 1): 1.0, ("a", 2): 2.0}


# The graph


def test_graph_follows_the_modules():
    model = cg.nn.Sequential(
        cg.nn.Linear(4, 3), cg.nn.ReLU(inplace=True), cg.nn.Sequential(cg.nn.Dropout(0.5), cg.nn.Linear(3, 2))
    )
    before, state = cg.train.fingerprint(model), cg.get_rng_state()
    boxes = {box.name: box for box in trace_boxes(model, (np.ones((5, 4), np.float32),))}
    assert list(boxes) == [
        "input",
        "Sequential/Linear[0]/weight",
        "Sequential/Linear[0]/bias",
        "Sequential/Linear[0]/linear",
        "Sequential/ReLU[1]/relu",
        "Sequential/Sequential[2]/Dropout[0]/dropout_at",
        "Sequential/Sequential[2]/Linear[1]/weight",
        "Sequential/Sequential[2]/Linear[1]/bias",
        "Sequential/Sequential[2]/Linear[1]/linear",
        "output",
    ]
    assert boxes["Sequential/Linear[0]/linear"].inputs == [
        "input",
        "Sequential/Linear[0]/weight",
        "Sequential/Linear[0]/bias",
    ]
    assert boxes["Sequential/Linear[0]/weight"].shape == (3, 4) and boxes["output"].shape == (5, 2)
    assert boxes["output"].inputs == ["Sequential/Sequential[2]/Linear[1]/linear"]
    assert cg.train.fingerprint(model) == before and (cg.get_rng_state().array == state.array).all()
    assert all(parameter.grad is None for parameter in model.parameters())


class Residual(cg.nn.Module):
    """Operations before and after the inner module belong to the outer one."""

    def __init__(self):
        super().__init__()
        self.inner = cg.nn.Linear(2, 2)

    def forward(self, x, y):
        z = (x + y).exp()
        return z * self.inner(z), z.split(1, 1)[1]


def test_graph_of_two_inputs_and_outputs():
    boxes = {box.name: box for box in trace_boxes(Residual(), (cg.ones(1, 2), cg.ones(1, 2)))}
    assert boxes["Residual/add"].inputs == ["input_0", "input_1"]
    assert boxes["Residual/mul"].inputs == ["Residual/exp", "Residual/Linear[inner]/linear"]
    assert {"Residual/exp", "output_0", "output_1"} <= set(boxes)


def test_graph_of_a_frozen_model_with_integers():
    model = cg.nn.Sequential(cg.nn.Embedding(5, 2), cg.nn.Flatten(), cg.nn.Linear(4, 1)).requires_grad_(False)
    names = [box.name for box in trace_boxes(model, (np.array([[1, 2]]),))]
    assert "Sequential/Embedding[0]/weight" in names and names[0] == "input"
    assert not any(p.requires_grad for p in model.parameters())


def test_a_model_without_a_graph_is_refused(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        with pytest.raises(ValueError, match="add_graph: input_to_model is required"):
            writer.add_graph(cg.nn.ReLU())
        with pytest.raises(ValueError, match="does not depend on"):
            writer.add_graph(cg.nn.Identity(), np.array([1]))


# The callback


def test_callback_writes_steps_epochs_weights_and_graph(tmp_path):
    trained, history = fit(TensorBoard(tmp_path, every=4, gradients=True, hparams={"mine": "yes"}))
    logged = scalars(tmp_path)
    assert [logged["epoch/loss", epoch] for epoch in (1, 2, 3)] == pytest.approx(history["loss"])
    assert [step for tag, step in logged if tag == "batch/lr"] == [4, 8, 12, 16, 20, 24]
    tags = {tag for tag, _, inner in values(tmp_path) if inner[5]}
    names = [name for name, _ in trained.model.named_parameters()]
    assert tags == {f"{kind}/{name}" for kind in ("weights", "gradients") for name in names}
    assert sum(1 for event in events(tmp_path) if event[4]) == 1
    assert [tag for tag, _, inner in values(tmp_path) if inner[9]] == [
        "custom_scalars__config__",
        "_hparams_/experiment",
        "_hparams_/session_start_info",
        "_hparams_/session_end_info",
    ]


def test_callback_of_a_resumed_training_purges_repeated_steps(tmp_path):
    for stop in (STEPS + 3, 10**9):
        checkpoint = cg.train.Checkpoint(tmp_path / "run.npz", every_steps=2)
        fit(TensorBoard(tmp_path / "tb", every=1), Stop(stop), checkpoint=checkpoint)
        time.sleep(1.1)  # TensorBoard reads files in the order of the seconds in their names
    purge = [event for event in events(tmp_path / "tb") if event[7]]
    assert [event[2] for event in purge] == [[STEPS + 3]]


@pytest.mark.parametrize("rows", [1, STEPS])
def test_callback_of_a_resumed_training_has_each_epoch_once(tmp_path, rows):
    """Of which the second was logged before the training was killed, but is not in the checkpoint; with one step an
    epoch it is purged and comes again."""
    for last in 2, 4:
        checkpoint = cg.train.Checkpoint(tmp_path / "run.npz", every_seconds=1e9 if last == 2 else 0)
        trained = trainer(TensorBoard(tmp_path / "tb"), checkpoint=checkpoint)
        assert len(trained.fit(batches()[:rows], batches(1), epochs=last, resume=True)) == last
        assert cg.load(tmp_path / "run.npz")["step"] == (rows if last == 2 else 4 * rows)
        time.sleep(1.1)
    seen = []
    for event in events(tmp_path / "tb"):
        if event[7]:
            seen = [epoch for epoch in seen if epoch < event[2][0]]
        seen += [
            event[2][0] for content in event[5] for value in fields(content)[1] if b"epoch/loss" in fields(value)[1]
        ]
    assert seen == [1, 2, 3, 4]


def test_reading_ignores_incomplete_events(tmp_path):
    assert last_step(tmp_path / "none", "") == 0
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalar("epoch/loss", 1.0, 300)
        writer.add_graph(cg.nn.Linear(2, 1), cg.zeros(1, 2))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        assert last_step(tmp_path, "epoch/") in (0, 300)
    assert last_step(tmp_path, "epoch/") == 300
    path.write_bytes(record(b"\xff" * 40) + whole)
    assert last_step(tmp_path, "epoch/") == 0


def test_callback_without_graph_and_histograms(tmp_path):
    fit(TensorBoard(tmp_path, every=None, graph=False, histograms=None))
    assert not any(event[4] for event in events(tmp_path))
    assert not any(inner[5] for _, _, inner in values(tmp_path))
    assert not any(tag.startswith("batch/") for tag, _ in scalars(tmp_path))


def test_training_continues_if_the_graph_cannot_be_drawn(tmp_path):
    class Uncopied(cg.nn.Sequential):
        def __deepcopy__(self, memo):
            raise TypeError("not to be copied")

    model = Uncopied(cg.nn.Linear(4, 2))
    with pytest.warns(TrackerWarning, match=r"cannot draw the graph of the model \(not to be copied\)"):
        _, history = fit(TensorBoard(tmp_path), model=model)
    assert len(history) == 3


def test_training_continues_with_non_finite_weights(tmp_path):
    model = cg.nn.Sequential(cg.nn.Linear(4, 2), cg.nn.ModuleList([cg.nn.Linear(1, 1)]))
    model[1].forward = lambda x: x
    model[1][0].weight.array[...] = math.nan
    _, history = fit(TensorBoard(tmp_path, graph=False), model=model)
    assert len(history) == 3


def test_no_hook_is_left_on_the_model(tmp_path):
    trained, _ = fit(TensorBoard(tmp_path))
    assert trained.model._hooks is None or not trained.model._hooks.before
    empty = trainer(TensorBoard(tmp_path / "empty"))
    empty.fit([], epochs=0)
    assert empty.model._hooks is None or not empty.model._hooks.before


# TensorBoard itself


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A function that queries TensorBoard over HTTP for a training, and the training."""
    pytest.importorskip("tensorboard")
    folder = tmp_path_factory.mktemp("board")
    trained, history = fit(TensorBoard(folder, every=4, hparams={"mine": "yes"}))
    with SummaryWriter(folder / "more") as writer:
        writer.add_image("picture", PIXELS, 1, dataformats="HWC")
        writer.add_text("words", "**bold**", 1)
        writer.add_histogram("exponential", np.random.default_rng(0).standard_normal(1000), 1)
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--host", "127.0.0.1", "--port", str(port)]
    with open(folder / "output", "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    def ask(path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/data/{path}", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    try:
        wait_for(
            lambda: {"more", "."} <= set(json.loads(ask("runs"))) and b"exponential" in ask("plugin/histograms/tags"),
            process,
        )
        yield ask, trained, history
    finally:
        process.terminate()
        process.wait(60)


def wait_for(ready, process, seconds=300):
    ends = time.monotonic() + seconds
    while True:
        assert process.poll() is None, "the server has ended"
        try:
            if ready():
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        assert time.monotonic() < ends, "the server does not answer"
        time.sleep(0.2)


def test_tensorboard_returns_scalars(board):
    ask, _, history = board
    rows = json.loads(ask("plugin/scalars/scalars?run=.&tag=epoch%2Fval_loss"))
    assert [row[1] for row in rows] == [1, 2, 3]
    assert [row[2] for row in rows] == pytest.approx(history["val_loss"])
    rows = json.loads(ask("plugin/scalars/scalars?run=.&tag=batch%2Floss"))
    assert [row[1] for row in rows] == [4, 8, 12, 16, 20, 24]


def test_tensorboard_returns_histograms(board):
    ask, trained, _ = board
    rows = json.loads(ask("plugin/histograms/histograms?run=.&tag=weights%2F0.weight"))
    assert [row[1] for row in rows] == [1, 2, 3]
    weights = trained.model[0].weight.array
    buckets = np.array(rows[-1][2])
    assert buckets[:, 2].sum() == weights.size
    np.testing.assert_allclose([buckets[0, 0], buckets[-1, 1]], [weights.min(), weights.max()], rtol=1e-6)
    (row,) = json.loads(ask("plugin/histograms/histograms?run=more&tag=exponential"))
    assert sum(bucket[2] for bucket in row[2]) == 1000


def test_tensorboard_returns_the_graph(board):
    ask, _, _ = board
    assert json.loads(ask("plugin/graphs/info"))["."]["run_graph"] is True
    drawn = ask("plugin/graphs/graph?run=.&conceptual=false").decode()
    assert 'name: "Sequential/Linear[0]/linear"' in drawn
    assert 'input: "Sequential/Linear[0]/weight"' in drawn and 'op: "Parameter"' in drawn


def test_tensorboard_returns_hyperparameters(board):
    ask, _, history = board
    experiment = json.loads(ask("plugin/hparams/experiment", b'{"experimentName": ""}'))
    assert {"mine", "lr", "optimizer", "model.0"} <= {info["name"] for info in experiment["hparamInfos"]}
    expected = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_SUCCESS"],
        "colParams": [],
        "startIndex": 0,
        "sliceSize": 10,
    }
    (group,) = json.loads(ask("plugin/hparams/session_groups", json.dumps(expected).encode()))["sessionGroups"]
    assert group["hparams"]["model.0"].startswith("Linear(in_features=4, out_features=8")
    assert group["hparams"]["mine"] == "yes" and group["hparams"]["lr"] == 0.01
    metrics = {value["name"]["tag"]: value["value"] for value in group["metricValues"]}
    assert metrics["epoch/val_loss"] == pytest.approx(history["val_loss"][-1])


def test_tensorboard_draws_training_and_validation_in_one_chart(board):
    ask, _, _ = board
    (category,) = json.loads(ask("plugin/custom_scalars/layout"))["category"]
    charts = {chart["title"]: chart["multiline"]["tag"] for chart in category["chart"]}
    assert charts["loss"] == ["epoch/loss$", "epoch/val_loss$"] and charts["accuracy"][-1] == "epoch/val_accuracy$"
    found = json.loads(ask("plugin/custom_scalars/scalars?run=.&tag=epoch%2Floss%24"))
    assert found["regex_valid"] and list(found["tag_to_events"]) == ["epoch/loss"]


def test_tensorboard_returns_images_and_texts(board):
    ask, _, _ = board
    (entry,) = json.loads(ask("plugin/images/images?run=more&tag=picture&sample=0"))
    np.testing.assert_array_equal(decoded_png(ask(f"plugin/images/individualImage?{entry['query']}")), PIXELS)
    (entry,) = json.loads(ask("plugin/text/text?run=more&tag=words"))
    assert "<strong>bold</strong>" in entry["text"]


def test_events_are_those_of_tensorboards_own_messages():
    proto = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    content = summary.summary([summary.scalar("a", 0.5), summary.text("t", "x")])
    event = proto.Event.FromString(summary.event(12.5, 7, content))
    assert event.wall_time == 12.5 and event.step == 7
    assert event.summary.value[0].simple_value == 0.5
    assert list(event.summary.value[1].tensor.string_val) == [b"x"]
    assert event.summary.value[1].tensor.tensor_shape.dim[0].size == 1


def test_a_layout_of_charts_is_read_back(tmp_path):
    layout = {"all": {"two": ["Multiline", ["a", "b/.*"]], "band": ["Margin", ["a", "low", "high"]]}}
    with SummaryWriter(tmp_path) as writer:
        writer.add_custom_scalars(layout)
        for wrong in (["Multi", ["a"]], ["Margin", ["a", "b"]]):
            with pytest.raises(ValueError, match="add_custom_scalars: chart 'c' must be"):
                writer.add_custom_scalars({"x": {"c": wrong}})
    ((tag, _, inner),) = list(values(tmp_path))
    assert tag == "custom_scalars__config__"
    assert fields(fields(inner[9][0])[1][0])[1] == [b"custom_scalars"]
    (category,) = fields(fields(inner[8][0])[8][0])[2]
    assert fields(category)[1] == [b"all"]
    two, band = map(fields, fields(category)[2])
    assert two[1] == [b"two"] and fields(two[2][0])[1] == [b"a", b"b/.*"]
    assert [fields(fields(band[3][0])[1][0])[i] for i in (1, 2, 3)] == [[b"a"], [b"low"], [b"high"]]
