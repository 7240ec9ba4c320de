"""PyTorch's own samples of its modules (ModuleInfo): outputs, gradients, gradients of gradients, states, copies."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest

import cygrad as cg

torch = pytest.importorskip("torch")
import tests.torch_internals  # noqa: E402, F401, I001 - before the next line
from torch.testing._internal.common_modules import module_db  # noqa: E402

LEFT_OUT = {  # pattern of names: why
    "Conv3d": "not yet", "ConvTranspose3d": "not yet", "Pool3d": "pooling of volumes", "FractionalMaxPool": "pooling of volumes",
    "CTCLoss": "not yet", "LinearCrossEntropyLoss": "of CUDA",
}  # fmt: skip
INFOS = [info for info in module_db if not any(word in info.name for word in LEFT_OUT)]
RANDOM = ("RReLU", "Dropout")


def here(value, memo=None):
    """A value with cygrad's tensors in place of PyTorch's, outside of the graph; one tensor for one."""
    memo = {} if memo is None else memo
    if isinstance(value, torch.Tensor):
        return memo.setdefault(id(value), cg.tensor(value.detach().numpy().copy()).requires_grad_(value.requires_grad))
    if isinstance(value, torch.dtype):
        return getattr(cg, str(value).partition(".")[2])
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, dict):
        return {key: here(item, memo) for key, item in value.items()}
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        return layer_here(value)
    if callable(value) and (getattr(value, "__module__", None) or "torch").startswith("torch"):
        return getattr(cg.nn.functional, value.__name__, None) or getattr(cg.nn, type(value).__name__)()
    return type(value)([here(item, memo) for item in value]) if isinstance(value, (list, tuple)) else value


def layer_here(layer):
    """An encoder layer, whose arguments are in its parts."""
    attention, norm = layer.self_attn, layer.norm1
    sizes = (attention.embed_dim, attention.num_heads, layer.linear1.out_features, layer.dropout.p)
    return cg.nn.TransformerEncoderLayer(
        *sizes, here(layer.activation), norm.eps, attention.batch_first, layer.norm_first, norm.bias is not None,
        dtype=str(norm.weight.dtype).partition(".")[2],
    )  # fmt: skip


def samples(info, training):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        inputs = info.module_inputs_func(info, device="cpu", dtype=torch.float64, requires_grad=True, training=training)
    for sample in inputs:
        if sample.forward_input is not None:
            yield sample


def pair(info, sample, training):
    """PyTorch's module and cygrad's, with the same state."""
    args, kwargs = sample.constructor_input.args, sample.constructor_input.kwargs
    takes_dtype = "dtype" in __import__("inspect").signature(info.module_cls).parameters
    takes_dtype = takes_dtype or issubclass(info.module_cls, torch.nn.RNNBase)
    options = {"dtype": torch.float64} if takes_dtype and not kwargs.get("dtype") else {}
    theirs = info.module_cls(*args, **kwargs, **options)
    if "Lazy" in info.name:
        theirs(*sample.forward_input.args)
    ours = getattr(cg.nn, info.name.removeprefix("nn."))(*here(args), **here({**kwargs, **options}))
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    return theirs.train(training), ours.train(training)


def flat(values):
    return [part for v in values for part in flat(v)] if isinstance(values, (list, tuple)) else [values]


def leaves(values):
    return [v for v in flat(values) if isinstance(v, (torch.Tensor, cg.Tensor)) and v.requires_grad]


def gradients(library, module, args, kwargs):
    """The outputs, the gradients of a weighted sum of them, and those of a weighted sum of these."""
    outputs = flat([module(*args, **kwargs)])
    wanted = [*leaves([*args, *kwargs.values()]), *module.parameters()]
    smooth = [x for x in outputs if x.requires_grad]
    if not wanted or not smooth:
        return [plain(x) for x in outputs], []
    rng = np.random.default_rng(1)
    weighted = sum((x * library.tensor(rng.normal(size=tuple(x.shape)))).sum() for x in smooth)
    slopes = library.autograd.grad(weighted, wanted, create_graph=True, allow_unused=True)
    slopes = [g if g is not None else library.zeros_like(w) for g, w in zip(slopes, wanted)]
    results = [plain(x) for x in (*outputs, *slopes)]
    rng = np.random.default_rng(2)
    total = sum((g * library.tensor(rng.normal(size=tuple(g.shape)))).sum() for g in slopes)
    if not total.requires_grad:
        return results, [np.zeros(tuple(w.shape)) for w in wanted]
    try:
        second = library.autograd.grad(total, wanted, allow_unused=True)
    except RuntimeError:  # PyTorch has no second derivative
        return results, None
    return results, [np.zeros(tuple(w.shape)) if g is None else plain(g) for g, w in zip(second, wanted)]


def plain(x):
    return x.detach().numpy(force=True) if isinstance(x, torch.Tensor) else x.detach().numpy()


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_module_is_pytorchs(info, training):
    count = 0
    for sample in samples(info, training):
        args, kwargs = sample.forward_input.args, sample.forward_input.kwargs
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs, ours = pair(info, sample, training)
            mine = here(args), here(kwargs)
            wanted = gradients(torch, theirs, args, kwargs)
            got = gradients(cg, ours, *mine)
        # Second derivatives count where PyTorch's are finite.
        second = [] if wanted[1] is None else [(np.where(np.isfinite(b), a, b), b) for a, b in zip(got[1], wanted[1])]
        for a, b in [*zip(got[0], wanted[0], strict=True), *second]:
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9, err_msg=f"{sample.desc}: {ours}")
        for key, value in theirs.state_dict().items():
            np.testing.assert_allclose(ours.state_dict()[key].numpy(), value.numpy(), rtol=1e-9)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        count += 1
        if count == 24:
            break
    assert count


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_copies_are_equal(info):
    for sample in list(samples(info, False))[:3]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, ours = pair(info, sample, False)
        args, kwargs = here(sample.forward_input.args), here(sample.forward_input.kwargs)
        expected = [plain(x) for x in flat([ours(*args, **kwargs)])]
        copies = [copy.deepcopy(ours)]
        if not callable(getattr(ours, "distance_function", None)):
            copies.append(pickle.loads(pickle.dumps(ours)))
        for other in copies:
            assert repr(other) == repr(ours)
            for got, want in zip(flat([other(*args, **kwargs)]), expected, strict=True):
                np.testing.assert_array_equal(plain(got), want)
