"""The table of PyTorch's names: none goes missing, none is untold, and what is present takes PyTorch's arguments."""

from __future__ import annotations

import importlib
import inspect

import pytest

torch = pytest.importorskip("torch")

from tests import torch_names as names  # noqa: E402

TABLE = names.table()
DIFFERENT = {  # room.name → why its parameters differ
    "torch.compile": "cygrad.torch has PyTorch's, which takes a module too", "torch.enable_grad": "orig_func is internal", "autograd.enable_grad": "likewise",
    "torch.set_rng_state": "a state of cygrad", "torch.split": "one function with Tensor.split", "autograd.backward": "grad_variables is the old name of grad_tensors",
    "autograd.gradcheck": "it checks what cygrad has", "nn.Hardtanh": "min_value and max_value are old names", "nn.UninitializedBuffer": "buffers are tensors",
    "torch.norm": "open: out and dtype", "torch.tensordot": "open: out",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("room", names.ROOMS)
def test_no_name_goes_missing(room):
    module = names.own(room)
    assert not [name for name in TABLE[room]["present"] if not hasattr(module, name)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("room", names.ROOMS)
def test_every_name_is_present_left_out_or_open(room):
    known = {name for kind in TABLE[room].values() for name in kind}
    assert not [name for name in names.names_of_pytorch(room) if name not in known and not names.why(room, name)]


def parameters(function):
    """The names of parameters by position, of those by keyword alone, and whether there may be any others; None if that is not known."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return positional, [p.name for p in found if p.kind is p.KEYWORD_ONLY], {p.kind for p in found} & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def differences(room):
    """What the functions and classes of a room do not take of PyTorch's parameters."""
    theirs = importlib.import_module(f"torch.{room}" if room != "torch" else "torch")
    found = {}
    for name in TABLE[room]["present"]:
        ours, other = getattr(names.own(room), name), getattr(theirs, name, None)
        if not callable(ours) or not callable(other) or (mine := parameters(ours)) is None or (wanted := parameters(other)) is None or wanted[2] or f"{room}.{name}" in DIFFERENT:
            continue
        positional, keywords, more = mine
        missing = [p for p in wanted[0] + wanted[1] if p not in positional + keywords and inspect.Parameter.VAR_KEYWORD not in more and p[0] != "_"]
        order = [p for p in positional if p in wanted[0]] != [p for p in wanted[0] if p in positional]
        if missing or (order and not more):
            found[name] = f"lacks {missing}" if missing else f"order {positional} instead of {wanted[0]}"
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("room", [room for room in names.ROOMS if room not in ("Tensor", "testing")])
def test_what_is_present_takes_pytorchs_arguments(room):
    assert not differences(room)
