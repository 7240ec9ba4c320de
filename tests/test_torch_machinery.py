"""What libraries reach for in PyTorch's own machinery: trees, operators of its dispatcher, classes of its compilers."""

from __future__ import annotations

from collections import OrderedDict, namedtuple

import pytest

import cygrad as cg
from cygrad import overrides
from cygrad.utils import _pytree as ours
from cygrad.utils.flop_counter import FlopCounterMode
from tests.test_torch import output

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torch.utils._pytree")

Point = namedtuple("Point", "x y")
TREE = {"a": [1, (2, 3)], "b": OrderedDict(c=4, d=Point(5, [6])), "e": []}


def walk(trees):
    """What the functions of one library's module make of a tree."""
    leaves, spec = trees.tree_flatten(TREE)
    paths = trees.tree_leaves_with_path(TREE)
    yield [trees.keystr(path) for path, _ in paths], [leaf for _, leaf in paths]
    yield [path[0].get(TREE) is not None for path, _ in paths]
    yield trees.tree_map_with_path(lambda path, leaf, other: (len(path), leaf, other), TREE, TREE)
    yield leaves, spec.num_leaves, spec.num_nodes, spec.num_children, spec.is_leaf()
    yield trees.tree_structure(3).is_leaf(), spec.unflatten([x * 10 for x in leaves])
    yield trees.tree_structure([1, 2]).flatten_up_to([{"x": 1}, [2, 3]])
    yield [child.num_leaves for child in spec.children()]
    yield trees.tree_all_only(int, lambda x: x > 0, TREE), trees.tree_any_only(float, lambda x: True, TREE)
    yield trees.tree_is_leaf(3), trees.tree_is_leaf([]), trees._get_node_type([]) is list, dict in trees.SUPPORTED_NODES
    yield trees.SUPPORTED_NODES[list].flatten_fn([1, 2])[0], trees.SUPPORTED_NODES[dict].unflatten_fn([1], ["k"])
    yield trees._dict_flatten({"k": 1}), trees._dict_unflatten([1], ["k"])
    pairs, keys = trees._dict_flatten_with_keys({"k": 1})
    yield [(str(key), value) for key, value in pairs], keys
    seen = []
    yield trees.tree_map_only_(int, seen.append, [1, "a"]), seen


def test_trees_are_taken_apart_as_by_pytorch():
    assert list(walk(ours)) == list(walk(theirs))
    with pytest.raises(ValueError, match="wanted list"):
        ours.tree_structure([1, 2]).flatten_up_to((1, 2))
    with pytest.raises(ValueError, match="the trees have 2 and 1 leaves"):
        ours.tree_map_with_path(max, [1, 2], [3])


NAMES = """\
import torch
import torch._dynamo, torch.fx, torch.nn.utils.prune as prune
from torch import PyTorchFileReader, ScriptModule
from torch._C import _TensorMeta
from torch._dynamo import OptimizedModule
from torch._subclasses.fake_tensor import is_fake
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.parameter import Parameter, UninitializedParameter
assert not is_fake(torch.ones(1)) and not isinstance(2, torch.SymInt) and torch._C._log_api_usage_once("here") is None
assert torch.utils.data.DataLoader(torch.zeros(2)).multiprocessing_context is None
from torch._tensor_str import PRINT_OPTS, _add_suffixes, _tensor_str
from torch.distributed import rpc
from torch.jit import ScriptFunction, _overload
from torch.utils.data.dataloader import _BaseDataLoaderIter, _MultiProcessingDataLoaderIter
from torch.utils.dlpack import from_dlpack, to_dlpack
aten = torch.ops.aten
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
table = {aten.sym_size.int: 1, aten.where.self: 2, aten.no_such_operator.default: 3}
print(table[torch.ops.aten.where.self], aten.mm.default(x, x).tolist(), aten.relu(-x).sum().item(), aten._softmax.default)
for action in (lambda: aten.no_such_operator(x), lambda: torch.ops.pyg.knn(x), lambda: torch.ops.load_library("x.so"),
               lambda: torch.fx.symbolic_trace(x), lambda: prune.l1_unstructured(x, "weight", 1),
               lambda: torch._C.nothing, lambda: torch.conv3d(x, x), lambda: PRINT_OPTS.nothing):
    try:
        action()
    except Exception as error:
        print(type(error).__name__, error)

class Scaled(torch.Tensor):
    __torch_function__ = torch._C._disabled_torch_function_impl

@torch._dynamo.disable
@_overload
def twice(x: "torch.fx.GraphModule") -> PyTorchFileReader:
    return 2 * x

@torch._dynamo.disable(recursive=False)
def thrice(x):
    return 3 * x

print(torch._C._disabled_torch_function_impl(twice, (), (2,)), thrice(2), torch.fx.wrap("len"), torch._dynamo.is_compiling())
print([isinstance(torch.nn.ReLU(), kind) for kind in (ScriptModule, OptimizedModule)], isinstance(torch.Tensor, _TensorMeta))
print(hasattr(rpc, "api"), isinstance(iter([]), _BaseDataLoaderIter), issubclass(_MultiProcessingDataLoaderIter, _BaseDataLoaderIter))
print(PRINT_OPTS.precision, _tensor_str(x, 4), _add_suffixes("Own([1]", ["size=3", "nnz=2"], 4), _tensor_str(x[:0], 0))
print(from_dlpack(to_dlpack(x)).tolist(), torch.onnx.is_in_onnx_export(), torch.torch.Tensor is torch.Tensor)
torch.use_deterministic_algorithms(True, warn_only=True)
print(torch.is_deterministic_algorithms_warn_only_enabled())
with torch.autograd.profiler.emit_nvtx(enabled=False):
    print("done")
"""


def test_private_names_that_libraries_import(tmp_path):
    assert output(tmp_path, NAMES).splitlines() == [
        "2 [[7.0, 10.0], [15.0, 22.0]] 0.0 <torch.ops.aten._softmax.default>",
        "NotImplementedError torch.ops.aten.no_such_operator is not in cygrad: it has no dispatcher",
        "AttributeError torch.ops.pyg has no operator 'knn': cygrad has no dispatcher",
        "OSError torch.ops.load_library: x.so is compiled for PyTorch; cygrad has no dispatcher",
        "NotImplementedError torch.fx.symbolic_trace is not in cygrad: it has no graphs of Python code; cg.compile "
        "records training steps",
        "NotImplementedError torch.nn.utils.prune.l1_unstructured is not in cygrad: it has no pruning",
        "AttributeError torch._C.nothing is not in cygrad: there is nothing to script; cg.compile records training steps",
        "NotImplementedError torch.conv3d is not in cygrad: it has convolutions of one and two dimensions only",
        "AttributeError PRINT_OPTS has no option 'nothing'; the options are precision, threshold, edgeitems, linewidth, "
        "sci_mode",
        "4 6 len False",
        "[False, False] True",
        "False False True",
        "4 [[1., 2.],",
        "     [3., 4.]] Own([1], size=3, nnz=2) []",
        "[[1.0, 2.0], [3.0, 4.0]] False True",
        "True",
        "done",
    ]


BFLOAT16 = """\
import warnings
import torch
warnings.simplefilter("always")
x = torch.tensor([1.5, -2.0])
print(x.dtype in (torch.float16, torch.bfloat16), x.dtype == torch.bfloat16, torch.bfloat16 == x.dtype)
print({torch.bfloat16: 1, torch.float32: 2}[x.dtype], torch.finfo(torch.bfloat16).eps, torch.bfloat16.itemsize)
with torch.autocast("cpu", dtype=torch.bfloat16):
    print((x * 2).dtype)
with warnings.catch_warnings(record=True) as caught:
    net = torch.nn.Linear(2, 2)
    tensors = [x.to(torch.bfloat16), x.bfloat16(), x.type(torch.bfloat16), torch.zeros(2, dtype=torch.bfloat16),
               net.to(torch.bfloat16).weight, net.bfloat16().bias, x.softmax(0, dtype=torch.bfloat16), x.sum(dtype=torch.bfloat16)]
print({str(t.dtype) for t in tensors}, tensors[0].tolist(), len(caught) >= 8, {str(w.message) for w in caught})
"""


def test_a_script_gets_float32_for_bfloat16_and_a_warning(tmp_path):
    assert output(tmp_path, BFLOAT16).splitlines() == [
        "False False False",
        "2 0.0078125 2",
        "torch.float32",
        "{'torch.float32'} [1.5, -2.0] True {'bfloat16: NumPy has no such dtype; tensors get float32 instead'}",
    ]


def test_bfloat16_is_refused_outside_of_scripts():
    for action in (lambda: cg.ones(2).bfloat16(), lambda: cg.nn.Linear(1, 1).bfloat16(), lambda: cg.zeros(1, dtype=cg.bfloat16)):
        with pytest.raises(TypeError, match="bfloat16: NumPy has no such dtype; use float16 for storage, or float32"):
            action()


def test_modes_that_have_no_effect_refuse_a_block():
    class Empty(overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    with pytest.raises(NotImplementedError, match=r"Empty: a TorchFunctionMode has no effect"), Empty():
        pass
    counter = FlopCounterMode(display=False)
    assert counter.get_total_flops() == 0 and counter.get_flop_counts() == {}
    with pytest.raises(NotImplementedError, match="cygrad counts no operations"), counter:
        pass
    with pytest.raises(NotImplementedError, match="computes on the CPU only"), cg.profiler.emit_nvtx():
        pass


def test_a_capsule_of_dlpack_is_read_once():
    x = cg.arange(3)
    capsule = cg.to_dlpack(x)
    y = cg.from_dlpack(capsule)
    y[0] = 7
    assert x.tolist() == [7, 1, 2]
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        cg.from_dlpack(capsule)
