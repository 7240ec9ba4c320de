"""An argument of a wrong class is refused with a message, by every public callable, wherever it stands."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from tests.fuzz.arguments import Arguments, Call, parameters, targets
from tests.fuzz.values import plainest

ENGINE = {"x.array =", "cg.Tensor", "nn.Parameter"}  # the engine's own attributes
ALIENS = ["Rude()", "None", "'abc'", "1.5", "1j", "[None]", "lambda: 0", "cg"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", [t for t in targets() if t not in ENGINE])
def test_every_argument_may_be_of_a_wrong_class(target):
    fuzzer = Arguments()
    receiver = "tensor((2, 3))" if target.startswith("x.") else ""
    listed = parameters(target)
    for place in range(len(listed)):
        for alien in ALIENS:
            args, kwargs = [], []
            for i, (name, required, by_name) in enumerate(listed):
                if required or i == place:
                    text = alien if i == place else plainest(name)
                    kwargs.append((name, text)) if by_name or not required else args.append(text)
            case = Call(target, receiver, tuple(args), tuple(kwargs))
            assert fuzzer.run(case) is None, fuzzer.show(case)


def one_cycle(**options):
    optimizer = cg.optim.SGD(nn.Linear(1, 1).parameters(), 0.1)
    return cg.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, 10, cycle_momentum=False, **options)


@pytest.mark.parametrize("call, message", [
    (lambda: cg.mm(cg.ones(2, 2), 1.0), "mm: mat2 must be a Tensor, got float"),
    (lambda: cg.isclose(cg.ones(2), other="a"), "isclose: other must be a Tensor, got str"),
    (lambda: cg.zeros_like([1.0]), "zeros_like: input must be a Tensor, got list"),
    (lambda: cg.multinomial(cg.ones(2), 1, generator=3), "generator must be a Generator, got int"),
    (lambda: cg.masked_fill(1.0, cg.ones(2).bool(), 2.0), "masked_fill: expected tensors, .* got float, Tensor, float"),
    (lambda: cg.stack([cg.ones(2), 1]), "stack: expected tensors, got int among them"),
    (lambda: nn.init.zeros_(3), "zeros_: tensor must be a Tensor, got int"),
    (lambda: nn.init.eye_(None), "eye_: tensor must be a Tensor, got NoneType"),
    (lambda: nn.utils.get_total_norm([1.0]), "get_total_norm: expected tensors, got float among them"),
    (lambda: cg.optim.lr_scheduler.StepLR(nn.Linear(1, 1), 1), "StepLR: optimizer must be an Optimizer, got Linear"),
    (lambda: cg.optim.swa_utils.AveragedModel(3), "AveragedModel: model must be a Module, got int"),
    (lambda: cg.ones(2).view_as((2,)), "view_as: other must be a Tensor, got tuple"),
    (lambda: setattr(cg.ones(2), "data", 3.0), "data: the new data must be a Tensor, got float"),
    (lambda: nn.functional.binary_cross_entropy_with_logits(cg.ones(2), cg.ones(2), "a"), "weight must be a tensor, got str"),
    (lambda: cg.data.default_collate(np.dtype("f4")), "default_collate: batch must be a list of items, got"),
    (lambda: cg.manual_seed("0"), "manual_seed: the seed must be an integer, got str"),
    (lambda: cg.from_dlpack(np.zeros(2, "f4,i4")), "from_dlpack: DLPack only supports"),
    (lambda: cg.tensor([1]).bincount(iter([])), "bincount: weights must be a Tensor, got list_iterator"),
    (lambda: one_cycle(div_factor=0), "OneCycleLR: div_factor must be positive, got 0"),
    (lambda: one_cycle(final_div_factor=-1.0), "OneCycleLR: final_div_factor must be positive, got -1.0"),
    (lambda: cg.data.augment.ColorJitter(1.0, clip=cg.uint8), "ColorJitter: clip must be a pair of numbers, got"),
    (lambda: cg.data.augment.GaussianNoise(clip=(1.0, "a")), "GaussianNoise: clip must be a pair of numbers, got"),
    (lambda: cg.cat([cg.ones(2), 3]), "cat: expected tensors, got int among them"),
    (lambda: cg.ones(2, 2, 2).dsplit(np.uint64(3)), "dsplit: dim 2 of size 2 has no 3 equal parts"),
    (lambda: cg.tensor_split(cg.ones(2), np.uint64(2**63)), "tensor_split: the number of sections must lie between 1"),
    (lambda: cg.tensor_split(cg.ones(2), 2.5), "tensor_split: sections must be an integer or indices, got float"),
    (lambda: cg.hstack([[]]), "hstack: expected a tensor, got tuple"),
    (lambda: cg.block_diag((cg.ones(2), cg.ones(2))), "block_diag: expected a tensor, got tuple"),
    (lambda: cg.ones(2).index_put([[1.0]], cg.ones(1)), "index_put: indices must be a tuple of tensors, got float"),
    (lambda: cg.gradient(cg.ones(3), spacing="a"), "gradient: spacing must be a number or a tensor, got str"),
    (lambda: cg.tril_indices(2, 2, dtype=np.datetime64), "tril_indices: a tensor holds booleans, integers or floats"),
    (lambda: cg.optim.ASGD([nn.Parameter(cg.ones(1))], 1, -1), "ASGD: lambd must not be negative, got -1"),
    (lambda: cg.optim.lr_scheduler.CyclicLR(cg.optim.SGD([nn.Parameter(cg.ones(1))]), 1, 2, 0.0, cycle_momentum=False),
     "CyclicLR: step_size_up must be positive, got 0.0"),
    (lambda: nn.functional.batch_norm(cg.zeros(0, 3), None, None, 1, training=True), "batch_norm: weight must be a tensor"),
    (lambda: nn.functional.lp_pool1d(cg.ones(1, 4), 0, 2), "lp_pool: norm_type must not be 0"),
    (lambda: cg.memory_format(1), "memory_format: there are only contiguous_format"),
    (lambda: cg.diagflat(cg.ones(1), 0.5), "diagflat: offset must be an integer, got float"),
    (lambda: nn.functional.embedding(np.zeros(2, int), cg.ones(2, 2), None, 1), "embedding: input must be a tensor"),
    (lambda: cg.data.augment.RandomCrop(1, np.ma.masked_array([1], [True])), "RandomCrop: 1 elements of a masked array"),
    (lambda: nn.functional.embedding(cg.tensor([0]), cg.ones(2, 2), max_norm="1"),
     "embedding: max_norm must be a number, got str"),
    (lambda: cg.optim.lr_scheduler.PolynomialLR(cg.optim.SGD([nn.Parameter(cg.ones(1))]), 1, -2),
     "PolynomialLR: power must not be negative, got -2"),
    (lambda: cg.autograd.grad(cg.ones(2, requires_grad=True).sum(), cg.ones(2, requires_grad=True), is_grads_batched=2),
     "grad: with is_grads_batched, grad_outputs must be tensors of one first dimension"),
    (lambda: nn.functional.cross_entropy([1.0], cg.tensor([0])), "cross_entropy: input must be a tensor, got list"),
])  # fmt: skip
def test_the_message_names_operation_and_argument(call, message):
    with pytest.raises((TypeError, ValueError, RuntimeError), match=message):
        call()


RECORDS = np.rec.array([(1.0, 2)], "f4,i4")  # a class whose attribute errors are its own
SIZED = {
    name: lambda *sizes, name=name: getattr(cg.ones(6), name)(*sizes)
    for name in ("reshape", "view", "expand", "repeat", "tile", "new_zeros", "new_full", "resize_", "sum_to_size")
} | {name: getattr(cg, name) for name in ("zeros", "ones", "empty", "full", "rand", "randn", "randint")}
FIRST = {"full": lambda f, *s: f(s, 1.0), "new_full": lambda f, *s: f(s, 1.0), "randint": lambda f, *s: f(3, s)}


@pytest.mark.parametrize("sizes", [(2.0, 3), (2, "a"), (None, 2), (6, [1]), (2, 1j), (True, 6), (RECORDS, 1)])
@pytest.mark.parametrize("name", SIZED)
def test_sizes_of_a_wrong_class_are_named(name, sizes):
    with pytest.raises(TypeError, match=r"^(\w+): (a size must be an integer|sizes must be integers), got \w+$"):
        FIRST.get(name, lambda f, *s: f(*s))(SIZED[name], *sizes)


@pytest.mark.parametrize("one", [True, np.int64(1), np.array(1), cg.tensor(1)])
@pytest.mark.parametrize("name", [n for n in SIZED if n not in ("expand", "sum_to_size")])
def test_sizes_may_be_anything_that_is_an_integer(name, one):
    x = FIRST.get(name, lambda f, *s: f(*s))(SIZED[name], 6, one)
    plain = FIRST.get(name, lambda f, *s: f(*s))(SIZED[name], 6, 1)
    assert x.shape == plain.shape and [type(n) for n in x.shape] == [int, int]


@pytest.mark.parametrize("counts", [(1, False), (2, True), (False + 0, 1)])
def test_repetitions_may_be_booleans(counts):
    x = cg.ones(3, requires_grad=True)
    x.tile(*counts).sum().backward()
    assert x.grad.tolist() == [float(np.prod(counts))] * 3


@pytest.mark.parametrize("call", [
    lambda: cg.ones(3).index_put_(RECORDS, cg.ones(1)), lambda: cg.ones(3).index_put_((RECORDS,), cg.ones(1)),
    lambda: cg.ones(3).index_put((None, 1), cg.ones(1)), lambda: cg.ones(3).index_put(cg.tensor([0]), cg.ones(1)),
    lambda: cg.ones(3).index_put(1, cg.ones(1)), lambda: cg.block_diag(RECORDS), lambda: cg.stack([RECORDS]),
    lambda: cg.vstack((cg.ones(1), RECORDS)), lambda: nn.functional.mse_loss(cg.ones(1), RECORDS),
    lambda: cg.arange("a"), lambda: cg.linspace("a", 1, 3), lambda: cg.logspace(None, 1, 2), lambda: cg.linspace(0, 1, 2.5),
    lambda: cg.eye(2.0), lambda: cg.eye(2, "a"), lambda: cg.ones(3).view(None),
])  # fmt: skip
def test_aliens_among_tensors_and_numbers_are_named(call):
    with pytest.raises(TypeError, match=r"^\w+: .*(got \w+|got one tensor)"):
        call()


@pytest.mark.parametrize("dtype", [cg.float64, object, "O", 3.5])
def test_memory_that_cant_be_seen_as_a_dtype(dtype):
    with pytest.raises(RuntimeError, match=r"^view: float32 of shape \(3,\) can't be seen as "):
        cg.ones(3).view(dtype)


@pytest.mark.parametrize("name", ["scatter", "scatter_add"])
@pytest.mark.parametrize("size", [(0, 3), (0, 0), (2, 0), (0, 1), (3, 0)])
@pytest.mark.parametrize("dim", [0, 1])
def test_an_empty_index_writes_nothing_whatever_the_shapes(name, size, dim):
    src, x = cg.ones((1, 1), requires_grad=True), cg.ones((3, 3), requires_grad=True)
    y = getattr(cg, name)(x, dim, cg.zeros(size, dtype=cg.int64), src)
    (grad,) = cg.autograd.grad(y.sum(), src, create_graph=True)
    y.sum().backward()
    assert y.tolist() == x.tolist() and src.grad.tolist() == grad.tolist() == [[0.0]] and (x.grad == 1).all()


@pytest.mark.parametrize("call, error", [
    (lambda: cg.tensordot(cg.tensor(1.0), cg.tensor(1.0), ([0], [0])), IndexError),
    (lambda: cg.tensordot(cg.tensor(1.0), cg.tensor(1.0)), RuntimeError),
    (lambda: cg.ones(3).renorm(2, 0, 1), RuntimeError),
    (lambda: cg.tensor(1.0).renorm(2, 0, 1), RuntimeError),
])  # fmt: skip
def test_dimensions_that_a_tensor_does_not_have(call, error):
    with pytest.raises(error, match=r"^(tensordot|renorm): "):
        call()


@pytest.mark.parametrize("index, options", [(1, {}), ([7], {}), ([0], {"scale_grad_by_freq": cg.ones(3)})])
def test_a_refused_look_up_scales_no_row(index, options):
    weight = cg.full((4, 2), 9.0)
    with pytest.raises((TypeError, IndexError, RuntimeError)):
        nn.functional.embedding(index if isinstance(index, int) else cg.tensor(index), weight, max_norm=1.0, **options)
    assert (weight == 9).all()


@pytest.mark.parametrize("limit", [1, cg.tensor(1.0), cg.tensor([1]), np.float64(1)])
def test_a_largest_norm_may_be_a_tensor(limit):
    weight = cg.full((2, 4), 9.0)
    nn.functional.embedding(cg.tensor([0]), weight, max_norm=limit)
    assert cg.allclose(weight.norm(dim=1), cg.tensor([1.0, 18.0]))


def test_indices_of_many_dimensions_are_added_at():
    assert cg.diagflat(cg.ones(1), cg.ones((1,) * 64, dtype=cg.int32)).tolist() == [[0, 1], [0, 0]]
    assert cg.zeros(2).index_put([cg.ones((1,) * 64, dtype=cg.int64)], cg.ones(1), accumulate=True).tolist() == [0, 1]


def test_a_refused_embedding_leaves_its_rows():
    weight = cg.ones(3, 2)
    with pytest.raises(TypeError, match="padding_idx must be an integer"):
        nn.functional.embedding(cg.tensor([0]), weight, np.array(1j), 0.5)
    assert weight.tolist() == [[1, 1]] * 3


@pytest.mark.parametrize("size", [0, (0, 2), (2, 0)])
@pytest.mark.parametrize("name", ["adaptive_avg_pool2d", "adaptive_max_pool2d", "adaptive_avg_pool1d", "adaptive_max_pool1d"])
def test_planes_may_be_pooled_to_nothing(name, size):
    x = cg.ones(3, 2, 4, requires_grad=True)
    getattr(nn.functional, name)(x, 0 if name.endswith("1d") else size).sum().backward()
    assert not x.grad.any()


@pytest.mark.parametrize("offset", [10**30, -(10**30)])
def test_a_diagonal_beyond_the_matrix_is_empty_and_has_a_gradient(offset):
    x = cg.ones(2, 3, requires_grad=True)
    assert x.diagonal(offset).shape == (0,)
    (x.diagonal(offset).sum() + x.diagonal().sum()).backward()
    assert x.grad.sum() == 2


@pytest.mark.parametrize("decimals", [-(2**31), 309, 10**30])
def test_rounding_to_more_decimals_than_there_are_ends(decimals):
    assert cg.round(cg.tensor([1.25]), decimals=decimals).isnan().all()


def test_half_precision_is_multiplied_and_divided_with_gradients():
    x, y = cg.tensor([3.0], dtype=np.float16, requires_grad=True), cg.tensor(2.0, requires_grad=True)
    (x * y + x / y).sum().backward()
    assert x.grad.tolist() == [2.5] and x.grad.dtype == np.float16 and y.grad.item() == 2.25


@pytest.mark.parametrize("n", [5, 6, 10**30])
def test_differences_of_a_high_order_leave_nothing(n):
    assert cg.diff(cg.arange(5), n).shape == (0,)


def test_an_error_inside_a_users_op_stays_what_it_is():
    @cg.autograd.op
    def broken(ctx, input):
        return input.nonsense

    with pytest.raises(AttributeError, match="nonsense"):
        broken(cg.ones(2))


def test_an_attribute_error_of_other_origin_is_not_explained_away():
    class Strange(cg.Tensor):
        @property
        def shape(self):
            raise AttributeError("strange")

    with pytest.raises(AttributeError, match="strange"):
        cg.zeros_like(Strange(cg.ones(2).array))


LOSSES = {
    "mse_loss": ("input", "target", "weight"), "l1_loss": ("input", "target"), "smooth_l1_loss": ("input", "target"),
    "huber_loss": ("input", "target"), "binary_cross_entropy": ("input", "target", "weight"), "kl_div": ("input", "target"),
    "binary_cross_entropy_with_logits": ("input", "target", "weight", "pos_weight"), "nll_loss": ("input", "target", "weight"),
    "cross_entropy": ("input", "target", "weight"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_losses_refuse_tensors_of_a_wrong_class(name):
    """By a message that begins with the loss's name, and without a change of the other arguments."""
    for place in LOSSES[name]:
        for alien in (1.0, "a", [1.0, 1.0], np.ones(2), object(), cg.nn.ReLU()):
            arguments = {argument: cg.tensor([0.5, 0.5]) for argument in LOSSES[name]}
            if name == "nll_loss":
                arguments.update(input=cg.ones(2, 2), target=cg.tensor([0, 1]))
            arguments[place] = alien
            with pytest.raises(TypeError, match=f"^{name}: "):
                getattr(nn.functional, name)(**arguments)


EMPTY = {
    "amax": lambda x: x.amax(), "amin": lambda x: x.amin(), "max": lambda x: x.max(), "min": lambda x: x.min(),
    "argmax": lambda x: x.argmax(), "argmin": lambda x: x.argmin(),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("name", EMPTY)
def test_the_message_names_the_function_that_was_called(name, dtype):
    with pytest.raises((ValueError, IndexError), match=f"^{name}: cannot reduce"):
        EMPTY[name](cg.zeros(0, dtype=dtype))


def test_a_type_without_a_module_has_a_name():
    assert cg.typename(eval("type('T', (), {})", {})()) == "T"


def test_data_that_contains_itself():
    data = [1.0]
    data.append(data)
    for function in (cg.tensor, cg.as_tensor, cg.ones(1).new_tensor):
        with pytest.raises(ValueError, match=r"^(new_)?tensor: data is not a rectangular array"):
            function(data)
