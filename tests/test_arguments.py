"""An argument of a wrong class is refused with a message, by every public callable, wherever it stands."""

from __future__ import annotations

import numpy as np
import pytest

import cygrad as cg
from cygrad import nn
from tests.fuzz.arguments import Arguments, Call, parameters, targets
from tests.fuzz.values import plainest

ENGINE = {
    "x.index =",
    "x.node =",
    "x.version =",
    "x.base =",
    "x.array =",
    "cg.Tensor",
    "nn.Parameter",
}  # the engine's own attributes
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
    (lambda: cg.manual_seed(0.5), "manual_seed: the seed must be an integer, got float"),
])  # fmt: skip
def test_the_message_names_operation_and_argument(call, message):
    with pytest.raises(TypeError, match=message):
        call()


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
