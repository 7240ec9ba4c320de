"""Augmentation of images: the definition of each transform, independence of thread count and batch size, and errors."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg
from cygrad import data, train
from cygrad.data import augment

RGB = np.random.default_rng(0).uniform(0, 1, (6, 3, 20, 31))
ALL = {
    "affine": augment.RandomAffine(30, (0.1, 0.2), (0.8, 1.2), 10, fill=0.5),
    "affine with edges": augment.RandomAffine(30, padding_mode="edge"),
    "affine with reflection": augment.RandomAffine(30, (0.3, 0.3), padding_mode="reflect"),
    "rotation": augment.RandomRotation(45),
    "crop": augment.RandomCrop((16, 20), padding=(4, 2)),
    "resized crop": augment.RandomResizedCrop((10, 12), scale=(0.3, 1.0)),
    "horizontal flip": augment.RandomHorizontalFlip(),
    "vertical flip": augment.RandomVerticalFlip(),
    "jitter": augment.ColorJitter(0.5, 0.5, 0.5),
    "blur": augment.GaussianBlur(5),
    "noise": augment.GaussianNoise(0.1, (0.0, 0.3)),
    "erasing": augment.RandomErasing(p=0.7),
    "erasing with noise": augment.RandomErasing(p=0.7, value="random"),
    "random apply": augment.RandomApply([augment.GaussianNoise(), augment.RandomRotation(20)], p=0.4),
    "normalize": augment.Normalize((0.1, 0.2, 0.3), 0.5),
    "composition": augment.Compose(
        [
            augment.RandomHorizontalFlip(),
            augment.RandomAffine(10),
            augment.RandomCrop(18, padding=3),
            augment.ColorJitter(0.2),
            augment.RandomVerticalFlip(),
        ]
    ),
}
MIXING = {
    "mixup": augment.MixUp(alpha=0.4, num_classes=5),
    "cutmix": augment.CutMix(num_classes=5),
}
each = pytest.mark.parametrize("transform", ALL.values(), ids=ALL)
each_mixing = pytest.mark.parametrize("transform", MIXING.values(), ids=MIXING)


def seeded(transform, *batch, seed=1):
    return transform(*batch, generator=cg.Generator().manual_seed(seed))


def torchvision():
    """PyTorch and torchvision's functions, if both are installed in compatible versions."""
    torch = pytest.importorskip("torch")
    try:
        from torchvision.transforms.v2 import functional
    except (ImportError, RuntimeError, OSError) as error:
        pytest.skip(f"torchvision can't be imported: {error}")
    return torch, functional


# All transforms


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_seeds_give_equal_results(transform, dtype):
    x = RGB.astype(dtype)
    before = x.copy()
    first = seeded(transform, x)
    assert first.dtype == dtype and np.isfinite(first).all()
    np.testing.assert_array_equal(first, seeded(transform, x))
    np.testing.assert_array_equal(x, before)
    if not isinstance(transform, augment.Normalize):
        assert not np.array_equal(first, seeded(transform, x, seed=2))


@each
def test_results_do_not_depend_on_the_batch_size(transform):
    whole = seeded(transform, RGB)
    for n in (0, 1, 4):
        np.testing.assert_array_equal(seeded(transform, RGB[:n]), whole[:n])


@pytest.mark.parametrize("transform", [*ALL.values(), *MIXING.values()], ids=[*ALL, *MIXING])
def test_results_are_bit_identical_for_any_thread_count(transform):
    x = np.random.default_rng(1).uniform(0, 1, (64, 3, 32, 40)).astype(np.float32)
    batch = (x, np.arange(64) % 5)
    threads = cg.get_num_threads()
    try:
        cg.set_num_threads(1)
        expected = seeded(transform, *batch)
        for count in (2, 3, 8):
            cg.set_num_threads(count)
            for got, part in zip(seeded(transform, *batch), expected, strict=True):
                np.testing.assert_array_equal(got, part)
    finally:
        cg.set_num_threads(threads)


@each
def test_tensors_stay_tensors_and_labels_unchanged(transform):
    labels = cg.tensor([0, 1, 2, 3, 4, 5])
    images, same = seeded(transform, cg.Tensor(RGB), labels)
    assert isinstance(images, cg.Tensor) and same.tolist() == labels.tolist()
    np.testing.assert_array_equal(images.array, seeded(transform, RGB))


def test_the_default_generator_advances():
    cg.manual_seed(5)
    first, second = (ALL["noise"](RGB) for _ in range(2))
    assert not np.array_equal(first, second)
    cg.manual_seed(5)
    np.testing.assert_array_equal(ALL["noise"](RGB), first)


# Geometry


def affine(x, angle, translate, scale, shear):
    """Images transformed by ``RandomAffine`` with fixed parameters."""
    fixed = augment.RandomAffine((angle, angle), None, (scale, scale), [shear[0]] * 2 + [shear[1]] * 2)
    maps, _ = fixed.maps(len(x), x.shape[2:], cg.Generator())
    maps = maps @ [[1, 0, -translate[0]], [0, 1, -translate[1]], [0, 0, 1]]
    return cg._kernels.warp(x, np.ascontiguousarray(maps[:, :2], x.dtype), *x.shape[2:])


@pytest.mark.parametrize(
    ("angle", "translate", "scale", "shear"),
    [(0, (0, 0), 1, (0, 0)), (30, (0, 0), 1, (0, 0)), (-75, (0, 0), 1, (0, 0)), (0, (5, -3), 1, (0, 0)), (0, (0, 0), 0.7, (0, 0)),
     (0, (0, 0), 1, (20, 0)), (0, (0, 0), 1, (0, -25)), (40, (2, 4), 1.3, (10, 15))],
)  # fmt: skip
def test_affine_maps_agree_with_torchvision(angle, translate, scale, shear):
    torch, functional = torchvision()
    bilinear = functional.InterpolationMode.BILINEAR
    expected = functional.affine(torch.tensor(RGB), angle, list(translate), scale, list(shear), bilinear)
    np.testing.assert_allclose(affine(RGB, angle, translate, scale, shear), expected.numpy(), atol=1e-6)


def test_a_quarter_turn_of_a_square():
    x = np.arange(9.0).reshape(1, 1, 3, 3)
    quarter = augment.RandomAffine((90, 90))(x)
    np.testing.assert_allclose(quarter[0, 0], np.rot90(x[0, 0], -1), atol=1e-12)


def test_affine_parameters_fill_their_ranges():
    transform = augment.RandomAffine((-20, 40), (0.1, 0.3), (0.5, 2.0))
    maps, size = transform.maps(4000, (10, 30), cg.Generator())
    assert size == (10, 30)
    forward = np.linalg.inv(maps)
    angles = np.degrees(np.arctan2(forward[:, 1, 0], forward[:, 0, 0]))
    scales = np.sqrt(np.linalg.det(forward[:, :2, :2]))
    shifts = (forward @ [14.5, 4.5, 1])[:, :2] - [14.5, 4.5]
    for values, low, high in ((angles, -20, 40), (scales, 0.5, 2), (shifts[:, 0], -3, 3), (shifts[:, 1], -3, 3)):
        room = 0.01 * (high - low)
        assert low - 1e-9 <= values.min() <= low + room and high - room <= values.max() <= high + 1e-9


def test_flips_are_exact_and_have_the_given_probability():
    x = np.random.default_rng(0).uniform(0, 1, (1000, 1, 4, 5)).astype(np.float32)
    for transform, axis in (augment.RandomHorizontalFlip(0.3), 3), (augment.RandomVerticalFlip(0.3), 2):
        y = seeded(transform, x)
        flipped = (y == np.flip(x, axis)).all((1, 2, 3))
        assert (flipped | (y == x).all((1, 2, 3))).all() and 250 < flipped.sum() < 350


def test_a_crop_is_a_window_of_the_padded_image():
    x = np.random.default_rng(0).uniform(1, 2, (500, 2, 6, 7))
    wide = np.pad(x, [(0, 0), (0, 0), (3, 1), (2, 0)], constant_values=9)
    y = seeded(augment.RandomCrop((5, 8), padding=(2, 3, 0, 1), fill=9), x)
    windows = np.lib.stride_tricks.sliding_window_view(wide, (5, 8), (2, 3))
    matches = (windows == y[:, :, None, None]).all((1, 4, 5))
    assert (matches.sum((1, 2)) == 1).all()
    assert (matches.mean(0) > 0.05).all() and matches.shape[1:] == (6, 2)  # every offset occurs


def test_images_smaller_than_the_crop_are_padded_on_request():
    x = np.ones((50, 1, 4, 4))
    y = seeded(augment.RandomCrop((6, 4), pad_if_needed=True), x)
    assert y.shape == (50, 1, 6, 4) and (y.sum((1, 2, 3)) == 16).all()


@pytest.mark.parametrize(("mode", "numpy_mode"), [("edge", "edge"), ("reflect", "reflect")])
def test_padding_modes_agree_with_numpy(mode, numpy_mode):
    x = RGB[:2]
    fixed = augment.RandomCrop((26, 37), padding=3, padding_mode=mode)
    np.testing.assert_allclose(fixed(x), np.pad(x, [(0, 0), (0, 0), (3, 3), (3, 3)], numpy_mode), atol=1e-12)


def test_a_resized_crop_of_the_whole_image_is_a_resize():
    torch = pytest.importorskip("torch")
    whole = augment.RandomResizedCrop((13, 45), scale=(1, 1), ratio=(31 / 20, 31 / 20))
    expected = torch.nn.functional.interpolate(torch.tensor(RGB), (13, 45), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(whole(RGB), expected.numpy(), atol=1e-12)


def test_adjacent_geometric_transforms_are_one_warp(monkeypatch):
    calls = []
    warp = cg._kernels.warp
    monkeypatch.setattr(cg._kernels, "warp", lambda *args: calls.append(args) or warp(*args))
    there, back = augment.RandomAffine((0, 0)), augment.RandomAffine((0, 0))
    there.maps = lambda n, size, generator: (augment.geometry.translation(np.full(n, 40.0), np.zeros(n)), size)
    back.maps = lambda n, size, generator: (augment.geometry.translation(np.full(n, -40.0), np.zeros(n)), size)
    np.testing.assert_array_equal(augment.Compose([there, augment.RandomHorizontalFlip(0), back])(RGB), RGB)
    assert len(calls) == 1
    augment.Compose(
        [there, augment.RandomRotation(3, fill=7), augment.RandomVerticalFlip(), augment.ColorJitter(), back]
    )(RGB)
    assert len(calls) == 4  # a different fill and a transform of another kind split the chain


# Color, blur, noise, boxes


@pytest.mark.parametrize("channels", [1, 3])
def test_colors_agree_with_torchvision(channels):
    torch, functional = torchvision()
    x = RGB[:, :channels]
    jitter = augment.ColorJitter((0.7, 0.7), (1.4, 1.4), (0.4, 0.4) if channels == 3 else 0.0)
    for got, image in zip(jitter(x), torch.tensor(x), strict=True):
        image = functional.adjust_contrast(functional.adjust_brightness(image, 0.7), 1.4)
        expected = functional.adjust_saturation(image, 0.4) if channels == 3 else image
        np.testing.assert_allclose(got, expected.numpy(), atol=1e-4 if channels == 3 else 1e-9)


def test_blur_agrees_with_torchvision():
    torch, functional = torchvision()
    got = augment.GaussianBlur(7, (1.3, 1.3))(RGB)
    np.testing.assert_allclose(got, functional.gaussian_blur(torch.tensor(RGB), [7, 7], [1.3, 1.3]).numpy(), atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_is_normal(dtype):
    z = seeded(augment.GaussianNoise(0.0, 1.0, clip=False), np.zeros((400, 1, 50, 50), dtype))
    assert z.dtype == dtype
    x = z.reshape(-1).astype(np.float64)
    for power, expected, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((x**power).mean() - expected) < 4 * np.sqrt(spread / x.size)
    assert 4.5 < x.max() < 6.8 and -6.8 < x.min() < -4.5
    for lag in (1, 16, 32, 2500):  # no correlation between neighbors, cosines and sines, groups or samples
        assert abs(np.corrcoef(x[:-lag], x[lag:])[0, 1]) < 4 / np.sqrt(x.size)
    quarters = np.histogram(np.arctan2(z[..., 16:32, :].reshape(-1, 1), z[..., :16, :].reshape(-1, 1)), 16)[0]
    assert quarters.min() > 0.95 * quarters.mean()


def test_erasing_covers_one_box_of_the_given_size():
    x = np.ones((300, 2, 20, 20), np.float32)
    y = seeded(augment.RandomErasing(p=0.5, scale=(0.1, 0.2), ratio=(0.5, 2.0), value=(3.0, 4.0)), x)
    covered = y[:, 0] == 3
    np.testing.assert_array_equal(y[:, 1] == 4, covered)
    some = covered.any((1, 2))
    assert 110 < some.sum() < 190 and (y[~some] == 1).all()
    rows, columns = covered[some].any(2).sum(1), covered[some].any(1).sum(1)
    assert (covered[some].sum((1, 2)) == rows * columns).all()
    share, ratio = rows * columns / 400, rows / columns
    assert 0.08 < share.min() < 0.12 and 0.17 < share.max() < 0.23
    assert 0.4 < ratio.min() < 0.65 and 1.6 < ratio.max() < 2.4


def test_normalize_and_to_dtype():
    x = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 5)).astype(np.uint8)
    chain = augment.Compose([augment.ToDtype(np.float32, scale=True), augment.Normalize((0.1, 0.2, 0.3), (0.5, 1, 2))])
    expected = (x / 255 - np.reshape([0.1, 0.2, 0.3], (3, 1, 1))) / np.reshape([0.5, 1, 2], (3, 1, 1))
    assert chain(x).dtype == np.float32
    np.testing.assert_allclose(chain(x), expected, atol=1e-6)


def test_random_apply_changes_a_fraction_of_the_samples():
    x = np.ones((1000, 1, 3, 3))
    y, labels = seeded(augment.RandomApply([augment.ColorJitter((0.5, 0.5))], p=0.25), x, np.arange(1000))
    assert set(np.unique(y)) == {0.5, 1.0} and 200 < (y[:, 0, 0, 0] == 0.5).sum() < 300
    assert labels.tolist() == list(range(1000))


# Mixing


@each_mixing
def test_labels_are_mixed_as_the_images_are(transform):
    n = 64
    x = np.broadcast_to(np.eye(n)[:, :, None, None], (n, n, 8, 8)).copy()  # channel i of image i is 1
    images, labels = seeded(transform, x, np.arange(n) % 5)
    shares = images.mean((2, 3))
    np.testing.assert_allclose(shares @ np.eye(5)[np.arange(n) % 5], labels, atol=1e-12)
    np.testing.assert_allclose(labels.sum(1), 1)
    assert np.diag(shares).std() > 0


def test_mixup_weights_follow_the_beta_distribution():
    x = np.eye(5000)
    mixed, _ = seeded(augment.MixUp(alpha=0.4, num_classes=2), x, np.zeros(5000, int))
    weights = np.diag(mixed)
    assert abs(weights.mean() - 0.5) < 0.02
    assert abs(weights.var() - 1 / (4 * (2 * 0.4 + 1))) < 0.01  # αβ/((α + β)²(α + β + 1))


def test_soft_labels_and_regression_targets_are_mixed():
    x = np.arange(6.0).reshape(3, 2)
    mixed, targets = seeded(augment.MixUp(), x, x[:, 0] * 10)
    np.testing.assert_allclose(mixed[:, 0] * 10, targets)
    assert targets.shape == (3,)


@each_mixing
def test_an_empty_batch_stays_empty(transform):
    images, labels = seeded(transform, np.zeros((0, 3, 4, 4)), np.zeros(0, int))
    assert images.shape == (0, 3, 4, 4) and labels.shape == (0, 5)


# In a loader


def image_dataset(n=50):
    rng = np.random.default_rng(0)
    return data.TensorDataset(rng.uniform(0, 1, (n, 1, 8, 8)).astype(np.float32), np.arange(n) % 4)


def epoch(**options):
    cg.manual_seed(3)
    loader = data.DataLoader(image_dataset(), 16, shuffle=True, transform=ALL["affine"], **options)
    return [(x.array, y.array, cg.rand(1).item()) for x, y in [*loader, *loader]]


@pytest.mark.parametrize(
    "options",
    [
        {"num_workers": 1},
        {"num_workers": 3},
        {"collate_fn": data.default_collate},
        {"num_workers": 2, "prefetch_factor": 5},
    ],
)
def test_a_loader_gives_the_same_batches_with_and_without_threads(options):
    expected, got = epoch(), epoch(**options)
    for one, other in zip(expected, got, strict=True):
        for part, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, same)
    assert not np.array_equal(expected[0][0], expected[4][0])  # a new epoch, different images


def test_a_loader_accepts_any_function_and_leaves_the_dataset_unchanged():
    dataset = image_dataset(8)
    before = dataset.tensors[0].array.copy()
    loader = data.DataLoader(dataset, 4, transform=lambda x, y: (x * 2, y + 1))
    (x, y), _ = loader
    np.testing.assert_array_equal(x.array, 2 * before[:4])
    assert y.tolist() == [1, 2, 3, 4]
    list(data.DataLoader(dataset, 4, transform=augment.Compose([ALL["noise"], MIXING["mixup"]])))
    np.testing.assert_array_equal(dataset.tensors[0].array, before)
    rng = np.random.default_rng(0)
    assert len(list(data.DataLoader(dataset, 4, transform=ALL["noise"], generator=rng))) == 2


def test_a_trainer_learns_from_mixed_labels():
    mixing = augment.Compose([augment.RandomAffine(5), augment.MixUp(alpha=0.2, num_classes=4)])
    model = train.mlp((64, 16, 4), flatten=True)
    trainer = train.Trainer(
        model,
        cg.nn.functional.cross_entropy,
        cg.optim.AdamW(model.parameters(), lr=0.01),
        metrics=["accuracy"],
        progress=False,
    )
    train_loader, valid = data.DataLoader(image_dataset(), 10, transform=mixing), data.DataLoader(image_dataset(), 10)
    history = trainer.fit(train_loader, valid, 3, check_leakage=False)
    assert history["loss"][-1] < history["loss"][0] and "val_accuracy" in history.names()


# Errors

X = np.zeros((2, 3, 4, 4))
BAD = [
    (lambda: augment.RandomAffine(-1), ValueError, "RandomAffine: degrees must not be negative, got -1"),
    (lambda: augment.RandomAffine((3, 1)), ValueError, "RandomAffine: degrees must be a number or an ascending pair, got (3, 1)"),
    (lambda: augment.RandomAffine(0, (2, 0)), ValueError, "RandomAffine: translate must be two numbers in [0, 1], got (2, 0)"),
    (lambda: augment.RandomAffine(0, scale=(0, 1)), ValueError, "RandomAffine: scale must be a number or an ascending pair of at least 1e-06, got (0, 1)"),
    (lambda: augment.RandomAffine(0, shear=(1, 2, 3)), ValueError, "RandomAffine: shear must be one, two or four numbers, got (1, 2, 3)"),
    (lambda: augment.RandomAffine(0, padding_mode="wrap"), ValueError, "RandomAffine: padding_mode must be constant, edge or reflect, got 'wrap'"),
    (lambda: augment.RandomRotation((0, np.nan)), ValueError, "RandomRotation: degrees must be a number or an ascending pair, got (0, nan)"),
    (lambda: augment.RandomCrop(0), ValueError, "RandomCrop: size must be one or two integers of at least 1, got 0"),
    (lambda: augment.RandomCrop(3, padding=(1, 2, 3)), ValueError, "RandomCrop: padding must be one, two or four integers of at least 0, got (1, 2, 3)"),
    (lambda: augment.RandomCrop((3, 9), padding=2)(X), ValueError, "RandomCrop: a crop of width 9 does not fit into the padded width 8"),
    (lambda: augment.RandomHorizontalFlip(2), ValueError, "RandomHorizontalFlip: p must lie in [0, 1], got 2"),
    (lambda: augment.RandomRotation(9)(X[0]), ValueError, "RandomRotation: images must be an array (N, C, H, W), got shape (3, 4, 4)"),
    (lambda: augment.RandomRotation(9)(X.astype(np.uint8)), TypeError, "RandomRotation: images must be float32 or float64 (convert them with ToDtype), got uint8"),
    (lambda: augment.Normalize(0.5, 0.5)(X.astype(int)), TypeError, "Normalize: images must be float32 or float64 (convert them with ToDtype), got int64"),
    (lambda: augment.RandomRotation(9)([1]), ValueError, "RandomRotation: images must be an array (N, C, H, W), got a list"),
    (lambda: augment.RandomRotation(9)(), TypeError, "RandomRotation: expected a batch, got no arguments"),
    (lambda: augment.ColorJitter(-1), ValueError, "ColorJitter: brightness must not be negative, got -1"),
    (lambda: augment.GaussianBlur(4), ValueError, "GaussianBlur: kernel_size must be a positive odd integer, got 4"),
    (lambda: augment.GaussianBlur(9)(X), ValueError, "blur: 9 taps reach beyond the mirror of an image of 4 x 4"),
    (lambda: augment.GaussianNoise(sigma=(-1, 1)), ValueError, "GaussianNoise: sigma must be a number or an ascending pair of at least 0, got (-1, 1)"),
    (lambda: augment.RandomErasing(value="mean"), ValueError, "RandomErasing: value must be a number, one per channel, or 'random', got 'mean'"),
    (lambda: augment.RandomErasing(value=(1, 2))(X), ValueError, "RandomErasing: value must be one number or one per channel, got shape (2,) for 3 channels"),
    (lambda: augment.Normalize(0, 0), ValueError, "Normalize: std must be positive, got 0"),
    (lambda: augment.Normalize((0, 1), 1)(X), ValueError, "Normalize: mean has 2 values for 3 channels"),
    (lambda: augment.ToDtype(int, scale=True), ValueError, "ToDtype: scale=True needs a floating-point dtype, got int64"),
    (lambda: augment.Compose([np.abs]), TypeError, "Compose: expected transforms, got a ufunc"),
    (lambda: augment.RandomApply([augment.RandomCrop(2)], 1)(X), ValueError, "RandomApply: the transforms must preserve the shape of a sample, got (3, 2, 2) from (3, 4, 4)"),
    (lambda: augment.MixUp(alpha=0), ValueError, "MixUp: alpha must be positive, got 0"),
    (lambda: augment.MixUp(num_classes=0), ValueError, "MixUp: num_classes must be at least 1, got 0"),
    (lambda: augment.MixUp()(X), TypeError, "MixUp: a batch must be (inputs, labels), got length 1"),
    (lambda: augment.MixUp()(X, np.array([0, 1])), ValueError, "MixUp: num_classes is required for class indices"),
    (lambda: augment.MixUp(num_classes=2)(X, np.array([0, 2])), ValueError, "MixUp: class indices must be between 0 and 1, got 0 to 2"),
    (lambda: augment.MixUp(num_classes=2)(X, np.array([0])), ValueError, "MixUp: inputs and labels must have the same first dimension"),
    (lambda: augment.CutMix(num_classes=2)(X, np.array(["a", "b"])), TypeError, "CutMix: labels must be class indices (N,) or floats, got <U1 of shape (2,)"),
    (lambda: augment.CutMix(num_classes=2)(X[0], np.array([0, 1, 1])), ValueError, "CutMix: images must be an array (N, C, H, W), got shape (3, 4, 4)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[message[:50] for _, _, message in BAD])
def test_bad_calls_raise(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
