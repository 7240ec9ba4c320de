"""``cygrad.torch``: in a process of its own, imports of torch give cygrad, and scripts run as Python runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cygrad as cg

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).parent.parent), "PYTHONUNBUFFERED": "1"}
NOTE = "cygrad.torch: torch is cygrad"


def run(tmp_path, text, *arguments, command=("-m", "cygrad.torch"), name="script.py"):
    (tmp_path / name).write_text(text)
    return subprocess.run(
        [sys.executable, *command, *(arguments or (name,))],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=ENVIRONMENT,
    )


def output(tmp_path, text, *arguments):
    result = run(tmp_path, text, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


IMPORTS = """\
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor, nn as again, optim
from torch.autograd import Function, Variable
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataset import TensorDataset
from torch.utils.data.distributed import DistributedSampler
from torch.utils.tensorboard import SummaryWriter
from torch.optim.lr_scheduler import StepLR
from torch.optim.optimizer import Optimizer
from torch.nn.modules.module import Module
from torch.nn.parameter import Parameter
from torch.cuda.amp import GradScaler, autocast
import torch.backends.cudnn as cudnn
import torch.multiprocessing as mp
import cygrad
assert nn is again is torch.nn is cygrad.nn and torch.Tensor is Tensor is cygrad.Tensor
assert torch.float32 == cygrad.float32 and torch.zeros is cygrad.zeros and Module is nn.Module
assert isinstance(torch.ones(2), Variable) and Variable(torch.ones(2), requires_grad=True).requires_grad
cudnn.benchmark = torch.backends.cuda.matmul.allow_tf32 = True
assert not torch.cuda.is_available() and not torch.backends.mps.is_available() and torch.version.cuda is None
assert torch.cuda.device_count() == 0 and torch.accelerator.current_accelerator() is None
assert tuple(map(int, torch.__version__.split("+")[0].split("."))) >= (2, 0)
print("done")
"""


def test_imports_of_torch_give_cygrad(tmp_path):
    assert output(tmp_path, IMPORTS) == "done\n"


MISSING = """\
import torch
for text in ("torch.nn.LinearCrossEntropyLoss", "torch.ao", "torch.nothing", "torch.nn.functional.nothing", "torch.ctc_loss"):
    try:
        eval(text)
    except AttributeError as error:
        print(error)
    assert not hasattr(torch, "nothing") and getattr(torch, "nothing", 3) == 3
for text in ("import torch.ao", "from torch import package", "import torch.sparse as sparse", "import torch.nothing.at.all"):
    try:
        exec(text)
    except ImportError as error:
        print(type(error).__name__, str(error).partition(" (/")[0])
"""


def test_a_missing_name_is_named_with_the_reason(tmp_path):
    assert output(tmp_path, MISSING).splitlines() == [
        "module 'cygrad.nn' has no attribute 'LinearCrossEntropyLoss': it has none yet",
        "torch.ao is not in cygrad: it has no quantization",
        "torch.nothing is not in cygrad",
        "module 'cygrad.nn.functional' has no attribute 'nothing'",
        "torch.ctc_loss is not in cygrad: it has none yet",
        "ModuleNotFoundError torch.ao is not in cygrad: it has no quantization",
        "ImportError cannot import name 'package' from 'torch'",
        "ModuleNotFoundError torch.sparse is not in cygrad: its tensors are dense",
        "ModuleNotFoundError torch.nothing is not in cygrad",
    ]


SELDOM = """\
import torch, torch.utils.model_zoo as model_zoo, torch.distributed as dist, torch.distributed.tensor
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed import Store, init_process_group
from torch.fft import fft, fftfreq
from torch.hub import load_state_dict_from_url
class Own(ZeroRedundancyOptimizer):
    def step(self): return 1
print(isinstance(3, ZeroRedundancyOptimizer), dist.is_available(), dist.ReduceOp.SUM, fftfreq(2).tolist(), Store)
print(hasattr(dist, "_hidden"), hasattr(fft, "__wrapped__"), hasattr(torch.nn, "nothing"))
for use in (
    lambda: ZeroRedundancyOptimizer([]), lambda: Own(), lambda: fft(torch.ones(2)), lambda: torch.fft.irfft(torch.ones(2)),
    lambda: model_zoo.load_url("x"), lambda: torch.hub.load("x"), lambda: dist.Backend.NCCL(), lambda: init_process_group("nccl"),
):
    try:
        use()
    except (RuntimeError, ValueError) as error:
        print(type(error).__name__, error)
"""


def test_what_programs_import_and_seldom_use_raises_when_it_is_used(tmp_path):
    zero, files = "torch.distributed.optim.ZeroRedundancyOptimizer", "cygrad.load reads files of weights that you have"
    assert output(tmp_path, SELDOM).splitlines() == [
        "False True SUM [0.0, -0.5] <torch.distributed.Store, which is not in cygrad>",
        "False False False",
        f"NotImplementedError {zero} is not in cygrad: its ranks share work by DistributedDataParallel",
        f"NotImplementedError {zero} is not in cygrad: its ranks share work by DistributedDataParallel",
        "NotImplementedError torch.fft.fft is not in cygrad: it has no complex numbers",
        "NotImplementedError torch.fft.irfft is not in cygrad: it has no complex numbers",
        f"NotImplementedError torch.utils.model_zoo.load_url is not in cygrad: it downloads nothing; {files}",
        f"NotImplementedError torch.hub.load is not in cygrad: it downloads nothing; {files}",
        "NotImplementedError torch.distributed.Backend.NCCL is not in cygrad: its ranks share work by DistributedDataParallel",
        "ValueError init_process_group: backend must be 'mpi' or 'gloo', which both mean MPI between CPUs, got 'nccl'",
    ]


MODULE_PATHS = {
    "torch.nn.utils.weight_norm": "weight_norm, remove_weight_norm",
    "torch.nn.utils.spectral_norm": "spectral_norm, remove_spectral_norm",
    "torch.nn.utils.convert_parameters": "parameters_to_vector, vector_to_parameters",
    "torch.nn.utils.init": "skip_init",
    "torch.nn.parallel.data_parallel": "DataParallel, data_parallel",
    "torch.optim.adadelta": "Adadelta",
    "torch.optim.adamax": "Adamax",
    "torch.optim.asgd": "ASGD",
    "torch.optim.nadam": "NAdam",
    "torch.optim.radam": "RAdam",
    "torch.optim.rprop": "Rprop",
    "torch.amp.autocast_mode": "autocast",
    "torch.amp.grad_scaler": "GradScaler",
    "torch.cuda.amp.autocast_mode": "autocast",
    "torch.cuda.amp.grad_scaler": "GradScaler",
    "torch.functional": "einsum, meshgrid, broadcast_tensors",
    "torch.types": "Number, Device, _size, _dtype, _int, _TensorOrTensors",
}
NOT_REPLACED = """
import torch
net, x = torch.nn.Linear(2, 3), torch.ones(1, 2)
assert all(torch.nn.utils.__dict__[n](torch.nn.Linear(2, 3))(x).shape == (1, 3) for n in ("weight_norm", "spectral_norm"))
assert isinstance(torch.nn.parallel.data_parallel(net, x), torch.Tensor)
"""


def test_modules_that_hold_a_name_in_pytorch_have_it_here(tmp_path):
    imports = [f"from {path} import {names}\nassert None not in [{names}]\n" for path, names in MODULE_PATHS.items()]
    output(tmp_path, "".join(imports) + NOT_REPLACED)


ATTRIBUTES = """\
import torch
class Rows(torch.utils.data.dataset.Dataset): pass
assert torch.distributions.normal.Normal is torch.distributions.Normal
assert torch.distributions.transformed_distribution.TransformedDistribution and torch.distributions.utils.logits_to_probs
assert torch.utils.data.sampler.SubsetRandomSampler is torch.utils.data.SubsetRandomSampler
assert torch.utils.data.dataloader.default_collate and torch.utils.data.distributed.DistributedSampler
assert not isinstance(torch.nn.Linear(1, 1), torch.nn.parallel.DistributedDataParallel)
assert torch.nn.parallel.distributed.DistributedDataParallel and torch.nn.modules.transformer.Transformer
assert torch.functional.einsum is torch.einsum and torch.serialization.load is torch.load and torch.types.Number
assert torch.utils.hooks.RemovableHandle and torch.amp.grad_scaler.GradScaler
assert torch.zeros(2, layout=torch.strided).layout is torch.strided and isinstance(torch.strided, torch.layout)
for text in ("torch.nn.nothing", "torch.distributions.nothing", "torch.utils.data.nothing", "torch.nn.modules.nothing"):
    try:
        eval(text)
    except AttributeError as error:
        print(error)
"""


def test_modules_that_pytorch_imports_at_once_are_attributes(tmp_path):
    assert output(tmp_path, ATTRIBUTES).splitlines() == [
        "module 'cygrad.nn' has no attribute 'nothing'",
        "module 'cygrad.distributions' has no attribute 'nothing'",
        "module 'cygrad.utils.data' has no attribute 'nothing'",
        "module 'cygrad.nn' has no attribute 'nothing'",
    ]


ABSENT_LAYERS = """\
import torch, torch.nn as nn, torch.nn.functional as F
from torch.nn.functional import avg_pool3d, conv2d
from torch.nn import Conv3d, CTCLoss
class Own(nn.Conv3d):
    pass
print(isinstance(nn.Conv1d(1, 1, 1), (nn.Conv2d, nn.Conv3d, nn.ConvTranspose3d, nn.MaxPool3d)), nn.Conv3d is Conv3d, hasattr(nn, "Conv5d"))
for use in (lambda: Conv3d(1, 1, 3), lambda: Own(1, 1, 3), lambda: F.conv3d(1), lambda: avg_pool3d(1), lambda: CTCLoss()):
    try:
        use()
    except NotImplementedError as error:
        print(error)
"""


def test_layers_of_volumes_can_be_named_and_not_used(tmp_path):
    volumes = "it has convolutions of one and two dimensions only"
    assert output(tmp_path, ABSENT_LAYERS).splitlines() == [
        "False True False",
        f"torch.nn.Conv3d is not in cygrad: {volumes}",
        f"torch.nn.Conv3d is not in cygrad: {volumes}",
        f"torch.nn.functional.conv3d is not in cygrad: {volumes}",
        "torch.nn.functional.avg_pool3d is not in cygrad: it pools sequences and images",
        "torch.nn.CTCLoss is not in cygrad: it has none yet",
    ]


PROGRAMS = """\
import importlib.util, pickle, time, torch, torch.cuda.random, torch.storage
from torch.nn import _reduction as _Reduction
from torch.serialization import FILE_LIKE, MAP_LOCATION
from torch.utils.checkpoint import check_backward_validity, detach_variable, get_device_states, set_device_states
assert importlib.util.find_spec("torch") and importlib.util.find_spec("torch.nn")
assert type(torch.ones(1)).__module__ == "torch" and torch.equal(pickle.loads(pickle.dumps(torch.ones(2))), torch.ones(2))
assert torch.manual_seed(time.time()) is torch.default_generator and not torch.cuda._initialized and not torch.cuda._is_in_bad_fork()
torch.cuda.random.manual_seed(3)
assert _Reduction.get_enum("sum") == 2 and torch.nn._reduction.legacy_get_string(False, None, emit_warning=False) == "sum"
assert torch.nn._reduction.legacy_get_enum(None, False, False) == 0
assert [part.tolist() for part in torch.arange(5).split(split_size=3)] == [[0, 1, 2], [3, 4]]
assert [p.numel() for p in torch.arange(5).split(split_size=[1, 4], dim=0)] == [1, 4]
import torch.nn as nn, torch.nn.functional as F, torch.optim as optim, torch.distributions.transforms as transforms
assert "AdamW" in optim.__dict__ and "StepLR" in vars(optim.lr_scheduler) and "GRU" in nn.__dict__ and "elu" in F.__dict__
assert transforms.CorrCholeskyTransform is torch.distributions.CorrCholeskyTransform and not hasattr(transforms, "nothing")
x = torch.arange(6.0).reshape(2, 3)
s = x[1].storage()
assert s.tolist() == list(s) == [0, 1, 2, 3, 4, 5] and s[1] == 1 and s[-2:] == [4, 5] and len(s) == s.size() == 6
assert s.data_ptr() == x.data_ptr() and s.nbytes() == 24 and s.element_size() == 4 and s.device == "cpu" and s.dtype == torch.float32
assert x.T.storage().tolist() == s.tolist() and x.storage_type() is torch.TypedStorage
u = x.untyped_storage()
assert isinstance(u, torch.UntypedStorage) and u.size() == u.nbytes() == 24 and u.element_size() == 1 and u[:4] == [0] * 4 and s.untyped().dtype == torch.uint8
for kind in (torch.uint16, torch.uint32, torch.uint64):
    assert torch.zeros(2, dtype=kind).dtype is kind and not kind.is_signed
for kind in (torch.complex64, torch.cdouble, torch.float8_e5m2, torch.quint8, torch.bfloat16):
    assert isinstance(kind, torch.dtype) and x.dtype != kind and {kind: 1}[kind]
assert torch.complex64.is_complex and torch.complex64.itemsize == 8 and not torch.complex64.is_floating_point and torch.float8_e5m2.is_floating_point
assert isinstance(torch.sparse_coo, torch.layout) and x.layout != torch.sparse_csr
assert not torch.quint8.is_signed and torch.qint32.is_signed and isinstance(torch.__config__.show(), str) and "threads" in torch.__config__.parallel_info()
from torch.utils._foreach_utils import _group_tensors_by_device_and_dtype, _has_foreach_support
groups = _group_tensors_by_device_and_dtype([[x, x.double(), x + 1], [s, u, x]], True)
assert [key[1] for key in groups] == [torch.float32, torch.float64] and [places for _, places in groups.values()] == [[0, 2], [1]]
assert list(groups.values())[0][0][1] == [s, x] and not _has_foreach_support([x], x.device)
from torch.nn.modules.module import _IncompatibleKeys
assert isinstance(nn.Linear(1, 1).load_state_dict(nn.Linear(1, 1).state_dict()), _IncompatibleKeys)
assert optim.SGD(nn.Linear(1, 1).parameters(), 0.1)._patch_step_function() is None
assert torch._C._get_tracing_state() is None and torch.distributed.ReduceOp.RedOpType and torch.finfo(torch.bfloat16).max > 3e38
assert get_device_states(x) == ([], []) and set_device_states([], []) is None
y, n = detach_variable((x.clone().requires_grad_(), 3))
assert y.requires_grad and y.is_leaf and n == 3
check_backward_validity([y])
import warnings
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    check_backward_validity([x])
assert "none of the inputs requires a gradient" in str(seen[0].message)
for use in (lambda: torch.zeros(2, dtype=torch.complex64), lambda: x.to(torch.quint8), lambda: detach_variable([x]), lambda: _Reduction.get_enum("all")):
    try:
        use()
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_what_public_packages_ask_for(tmp_path):
    assert output(tmp_path, PROGRAMS).splitlines() == [
        "TypeError complex64: cygrad has no complex numbers",
        "TypeError quint8: NumPy has no such dtype",
        "RuntimeError detach_variable: expected a tuple of tensors, got list",
        "ValueError reduction must be none, mean or sum, got 'all'",
    ]


FOREACH = """\
import torch
x, y = [torch.ones(2), torch.full((3,), 4.0)], [torch.full((2,), 2.0), torch.full((3,), 3.0)]
def show(tensors): return [t.tolist() for t in tensors]
with torch.no_grad():
    print(show(torch._foreach_add(x, y, alpha=2)), show(torch._foreach_mul(x, 3.0)), show(torch._foreach_mul(x, [1.0, 2.0])))
    print(show(torch._foreach_sqrt(x)), show(torch._foreach_norm(y)), show(torch._foreach_addcmul(x, y, y, 0.5)))
    torch._foreach_lerp_(x, y, 0.5), torch._foreach_addcdiv_(x, y, x, value=2.0)
    torch._foreach_maximum_(x, y), torch._foreach_neg_(y), torch._foreach_copy_(y, x), torch._foreach_addcdiv_(x, y, y, [1.0, 2.0])
    print(show(x), show(y), show(torch._foreach_pow(x, 2)))
    torch._foreach_zero_(x)
    print(show(x))
    try:
        torch._foreach_add(x, [1.0])
    except RuntimeError as error:
        print(hasattr(torch, "_foreach_nothing"))
"""


def test_operations_on_lists_of_tensors_are_pytorchs(tmp_path, capsys):
    torch = pytest.importorskip("torch")
    assert torch
    ours = output(tmp_path, FOREACH)
    exec(FOREACH, {})
    assert ours == capsys.readouterr().out


def test_a_module_may_override_how_attributes_are_set():
    class Own(cg.nn.Module):
        def __setattr__(self, name, value):
            if isinstance(value, cg.nn.Module):
                self.add_module(name, value)
            elif isinstance(value, cg.nn.Parameter):
                self.register_parameter(name, value)
            else:
                super().__setattr__(name, value)

    own = Own()
    own.layer, own.scale, own.size = cg.nn.Linear(1, 1), cg.nn.Parameter(cg.ones(1)), 3
    assert sorted(name for name, _ in own.named_parameters()) == ["layer.bias", "layer.weight", "scale"]


GETATTR = """\
import torch
class Outer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.size = torch.nn.Linear(1, 2), 3
net = Outer()
assert net.__getattr__("layer") is net.layer and net.__getattr__("size") == 3 and net.layer.__getattr__("weight") is net.layer.weight
assert not hasattr(net, "nothing")
try:
    net.__getattr__("nothing")
except AttributeError as error:
    print(error)
print(torch.broadcast_shapes((2, 1), (3,))[-2:].numel())
x = torch.ones(2, 3, requires_grad=True)
y = x * 2
for view in (x[0], x.T, x.view(-1), y.view(-1)[1:]):
    assert view._is_view() and (view._base is x or view._base is y)
assert not any(z._is_view() or z._base is not None for z in (x, y, x.detach(), x.clone()))
"""


def test_private_names_that_programs_use(tmp_path):
    assert output(tmp_path, GETATTR).splitlines() == ["'Outer' object has no attribute 'nothing'", "6"]


FUNCTORCH = """\
import functorch, torch
from functorch import combine_state_for_ensemble, make_functional, make_functional_with_buffers, vmap
net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).eval()
x = torch.randn(5, 3)
function, params, buffers = make_functional_with_buffers(net)
assert torch.equal(function(params, buffers, x), net(x)) and (len(params), len(buffers)) == (4, 3)
assert params[0] is not net[0].weight and all(p.requires_grad for p in params)
assert not any(p.requires_grad for p in make_functional_with_buffers(net, disable_autograd_tracking=True)[1])
function, params = make_functional(net[0])
gradient = functorch.grad(lambda params: function(params, x).sum())(params)
assert torch.allclose(gradient[0], x.sum(0).expand(4, 3), atol=1e-5) and gradient[1].tolist() == [5.0] * 4
nets = [torch.nn.Linear(3, 2) for _ in range(4)]
function, params, buffers = combine_state_for_ensemble(nets)
y = vmap(function, in_dims=(0, 0, None))(params, buffers, x)
assert torch.allclose(y, torch.stack([net(x) for net in nets]), atol=1e-6) and buffers == ()
try:
    make_functional(net)
except RuntimeError as error:
    print(error)
"""


def test_functorch_turns_modules_into_functions(tmp_path):
    assert output(tmp_path, FUNCTORCH) == "make_functional: the module has buffers; use make_functional_with_buffers\n"


PARSED = """\
import torch
parse = torch._C._nn._parse_to
for result in (
    parse("cpu"), parse(torch.float64), parse("cpu", torch.int64, True), parse(dtype=torch.float32),
    parse(torch.ones(1, dtype=torch.float64)), parse(device=torch.device("cpu"), non_blocking=True),
):
    print(*result)
print(hasattr(torch._C, "nothing"))
try:
    parse("cuda")
except ValueError as error:
    print(error)
"""


def test_methods_to_of_programs_can_parse_their_arguments(tmp_path):
    assert output(tmp_path, PARSED).splitlines() == [
        "cpu None False None",
        "None torch.float64 False None",
        "cpu torch.int64 True None",
        "None torch.float32 False None",
        "cpu torch.float64 False None",
        "cpu None True None",
        "False",
        "to: cygrad computes on the CPU only, got device 'cuda'",
    ]


SIZES = """\
import numpy as np, torch
x = torch.zeros(3, 1)
for made in (x.new(x.shape), x.data.new(x.size()), torch.Tensor(x.shape), torch.FloatTensor(x.size()), torch.LongTensor(x[:].shape)):
    assert made.shape == (3, 1), made
assert torch.Tensor(np.int64(2)).shape == (2,) and torch.Tensor(np.int64(2), np.int64(3)).shape == (2, 3)
assert torch.Tensor((3, 1)).tolist() == [3, 1] and x.new((3, 1)).tolist() == [3, 1]
"""


def test_shapes_are_sizes_for_constructors_and_tuples_are_data(tmp_path):
    output(tmp_path, SIZES)


def test_a_script_runs_as_python_runs_it(tmp_path):
    (tmp_path / "beside.py").write_text("value = 7\n")
    text = "import sys, beside\nprint(__name__, __file__, sys.argv, sys.path[0], beside.value)\nsys.exit(3)\n"
    result = run(tmp_path, text, "script.py", "-x", "--lr", "1")
    assert result.stdout == f"__main__ {tmp_path}/script.py ['script.py', '-x', '--lr', '1'] {tmp_path} 7\n"
    python = run(tmp_path, text, "script.py", "-x", "--lr", "1", command=())
    assert (result.returncode, result.stdout) == (python.returncode, python.stdout)
    assert result.stderr.startswith(NOTE) and result.stderr.count("\n") == 1
    assert run(tmp_path, text, "-q", "script.py").stderr == ""
    result = run(tmp_path, text, "exec", "script.py", "1", command=("-m", "cygrad"))
    assert (result.returncode, result.stdout) == (3, f"__main__ {tmp_path}/script.py ['script.py', '1'] {tmp_path} 7\n")
    result = run(tmp_path, "import sys\nprint(__name__, sys.argv[1:])\n", "-m", "script", "a")
    assert result.stdout == "__main__ ['a']\n"


@pytest.mark.parametrize(
    "text",
    ["def f():\n    1 / 0\nf()\n", "x = (\n", "import torch\ntorch.ones(2) @ torch.ones(3)\n", "import nowhere\n"],
)
def test_a_traceback_shows_the_script_alone(tmp_path, text):
    ours, pythons = run(tmp_path, text, "-q", "script.py"), run(tmp_path, text, "script.py", command=())
    assert ours.returncode == pythons.returncode == 1
    assert "cygrad/torch" not in ours.stderr and "runpy" not in ours.stderr
    if "torch" not in text:
        assert ours.stderr.replace(str(tmp_path) + "/", "") == pythons.stderr.replace(str(tmp_path) + "/", "")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_a_script_as_python_does(tmp_path):
    (tmp_path / "script.py").write_text("import time\nprint('ready')\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "cygrad.torch", "-q", "script.py"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT and error.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected a script, got none; see"),
        (("nowhere.py",), "there is no file nowhere.py"),
        (("--wrong",), "expected a script, got --wrong"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, arguments, message):
    result = subprocess.run(
        [sys.executable, "-m", "cygrad.torch", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=ENVIRONMENT,
    )
    assert result.returncode == 2 and message in result.stderr


def test_install_comes_before_pytorch(tmp_path):
    text = "import sys, types\nsys.modules['torch'] = types.ModuleType('torch')\nimport cygrad.torch\ncygrad.torch.install()\n"
    result = run(tmp_path, text, "script.py", command=())
    assert result.returncode == 1 and "PyTorch has been imported already" in result.stderr
    text = "import cygrad.torch, sys\nassert not any('torch' in type(f).__module__ for f in sys.meta_path)\ncygrad.torch.install()\ncygrad.torch.install()\nimport torch\nprint(torch.cygrad if hasattr(torch, 'cygrad') else torch.__version__)\n"
    result = run(tmp_path, text, "script.py", command=())
    assert result.stdout == "2.13.0+cygrad\n" and result.stderr.count(NOTE) == 1


WARNED = """\
import warnings, torch
import torch.nn.functional as F
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    values = [f(torch.ones(3, 1), torch.arange(3.0)).item() for f in (F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss)]
    values += [F.softmax(torch.arange(6.0).reshape(s)).sum(d).numpy().ravel().round(5).tolist() for s, d in (((6,), 0), ((2, 3), 1), ((1, 2, 3), 0))]
    F.log_softmax(torch.zeros(2, 2))
print(values, [str(w.message).partition(" (")[0][:40] for w in caught])
"""


def test_what_pytorch_accepts_with_a_warning_is_accepted_there(tmp_path):
    ours = output(tmp_path, WARNED)
    assert ours.count("Using a target size") == 4 and ours.count("Implicit dimension choice") == 4
    torch = pytest.importorskip("torch")
    result = run(tmp_path, WARNED, "script.py", command=())
    assert torch and ours.splitlines()[0] == result.stdout.splitlines()[0]


def test_a_loss_broadcasts_one_element_and_refuses_other_shapes():
    F = cg.nn.functional
    for f in (F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss):
        for target in (cg.tensor(0.0), cg.zeros(1), cg.zeros(1, 1)):
            p = cg.ones(3, requires_grad=True)
            loss = f(p, target) if target.ndim < 2 else f(p, target.reshape(1))
            loss.backward()
            assert p.grad.shape == (3,) and float(p.grad.sum()) > 0
        with pytest.raises(ValueError, match=r"input has shape \(3, 1\), but target has \(3,\)"):
            f(cg.ones(3, 1), cg.ones(3))


FILES = """\
import torch
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x * x
    @staticmethod
    def backward(ctx, g): return g
for name in "model.bin", "checkpoint.pth.tar":
    torch.save({"a": torch.ones(1)}, name)
    print(torch.load(name)["a"].item() + (name == "checkpoint.pth.tar"), end=" ")
try:
    torch.load("nowhere.bin")
except FileNotFoundError:
    print(str(Square.apply(torch.ones(1, requires_grad=True))).split("grad_fn=")[1][:-1], end=" ")
with torch.autograd.set_detect_anomaly(True):
    torch.ones(1)
import warnings
p, q = (torch.ones(1, requires_grad=True) for _ in range(2))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    made = torch.optim.SGD([p, q, p], lr=0.1)
assert len(made.param_groups[0]["params"]) == 2 and "updates it once" in str(caught[0].message)
try:
    torch.optim.SGD([{"params": [p]}, {"params": [p]}], lr=0.1)
    print("accepted")
except ValueError:
    pass
print(torch.is_anomaly_enabled() if hasattr(torch, "is_anomaly_enabled") else False)
"""
TYPES = """\
import torch, numpy as np
x = torch.ones(2, 3, requires_grad=True)
print(x.shape, x.size(), x.shape[1:], x[0].size(), torch.Size([1]), x.size(1), x.shape.numel(), isinstance(x.shape, torch.Size))
print(x.dtype, torch.int64, torch.long, torch.bool, x.dtype is torch.float, isinstance(x.dtype, torch.dtype), x.dtype.is_floating_point)
print({torch.float32: 1}[x.dtype], x.dtype == np.float32, torch.zeros(2, dtype=x.dtype), x.double().sum(), x * 2)
print(torch.Tensor(np.arange(3)).dtype, torch.FloatTensor(np.arange(3)), torch.arange(3).to(x.dtype).type(torch.int32))
print(torch.nn.Linear(2, 1).to(torch.float64).weight.dtype, np.zeros(1, x.dtype).dtype, x.new_zeros(x.shape).shape, list(x.shape))
"""


def test_shapes_and_dtypes_are_those_of_torch_in_scripts(tmp_path):
    assert output(tmp_path, FILES) == "1.0 2.0 <SquareBackward> False\n"
    assert output(tmp_path, TYPES).splitlines() == [
        "torch.Size([2, 3]) torch.Size([2, 3]) torch.Size([3]) torch.Size([3]) torch.Size([1]) 3 6 True",
        "torch.float32 torch.int64 torch.int64 torch.bool True True True",
        "1 True tensor([0., 0.]) tensor(6., dtype=torch.float64, grad_fn=<SumBackward0>) tensor([[2., 2., 2.],",
        "        [2., 2., 2.]], grad_fn=<MulBackward0>)",
        "torch.float32 tensor([0., 1., 2.]) tensor([0, 1, 2], dtype=torch.int32)",
        "torch.float64 float32 torch.Size([2, 3]) [2, 3]",
    ]


PATHS = """\
import torch
from torch.autograd.anomaly_mode import detect_anomaly
from torch.distributed import ReduceOp, destroy_process_group, init_process_group
from torch.distributions.utils import broadcast_all, logits_to_probs, probs_to_logits
from torch.nn.common_types import _size_2_t
from torch.nn.modules.fold import Fold
from torch.nn.modules.rnn import LSTM, RNNBase
from torch.nn.modules.utils import _pair, _reverse_repeat_tuple, _single
from torch.nn.parallel import DistributedDataParallel as DDP
from torch.nn.parallel.distributed import DistributedDataParallel
from torch.optim.adamw import AdamW
from torch.utils.data._utils.collate import default_collate
from torch.utils.data.dataloader import default_collate as collate
from torch.utils.data.dataset import ConcatDataset, Dataset, IterableDataset, Subset, random_split
from torch.utils.data.sampler import BatchSampler, Sampler
from torch.utils.dlpack import from_dlpack
from torch.utils.hooks import RemovableHandle

assert _pair(3) == (3, 3) and _pair([1, 2]) == (1, 2) and _single(4) == (4,) and _reverse_repeat_tuple((1, 2), 2) == (2, 2, 1, 1)
assert collate is default_collate and DDP is DistributedDataParallel and issubclass(LSTM, RNNBase) and ReduceOp.SUM != ReduceOp.MAX
assert torch.equal(from_dlpack(torch.ones(2)), torch.ones(2))
model = torch.nn.Linear(2, 1)
assert not isinstance(model, (DDP, torch.nn.parallel.DistributedDataParallel))
assert torch.nn.SyncBatchNorm.convert_sync_batchnorm(model) is model
assert not isinstance(model.weight, torch.cuda.FloatTensor) and torch.compiler.disable(model) is model
for refused in (lambda: DDP(model), lambda: torch.cuda.LongTensor([1]), lambda: torch._check(False, lambda: "no")):
    try:
        refused()
    except RuntimeError as error:
        print(error)
try:
    torch._assert(False, "asserted")
except AssertionError as error:
    print(error)
try:
    model(torch.ones(1, 2)).sum().backward()
except torch.OutOfMemoryError:
    torch.cuda.empty_cache()
assert torch.cuda.memory_summary() == "" and torch.cuda.memory_stats() == {} and torch.cuda.get_rng_state_all() == []
torch.cuda.set_rng_state_all([]), torch.cuda.ipc_collect(), torch.set_num_interop_threads(2), torch.set_flush_denormal(True)
with torch.backends.cuda.sdp_kernel(enable_flash=False), torch.inference_mode():
    assert torch.is_inference_mode_enabled()
    model.weight.cpu().numpy()
"""


def test_paths_of_files_and_names_for_other_devices_are_answered(tmp_path):
    assert output(tmp_path, PATHS).splitlines() == [
        "DistributedDataParallel: init_process_group has not been called",
        "cuda.LongTensor: cygrad computes on the CPU only: there is no accelerator",
        "no",
        "asserted",
    ]


OLD_CALLS = """\
import warnings
import torch
warnings.simplefilter("ignore")
x, y, z = torch.ones(2, requires_grad=True), torch.full((2,), 3.0), torch.full((2,), 2.0)
results = [x.add(0.5, y), torch.add(x, 0.5, y), x.sub(0.5, y), x.addcmul(0.5, y, z), torch.addcdiv(x, 0.5, y, z), torch.sub(x, 2, y)]
with torch.no_grad():
    results += [x.clone().add_(-0.1, y), x.clone().sub_(0.5, y), x.clone().addcmul_(0.5, y, z), x.clone().addcdiv_(-0.5, y, z)]
    results += [x.add(y, alpha=2), x.add(2), torch.addcmul(x, y, z, value=3), x.clone().add_(y, alpha=0.5)]
mask = torch.tensor([1, 0], dtype=torch.uint8)
m, a, b = torch.ones(2, 2), torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[2.0, 0.5], [1.0, 3.0]])
results += [torch.addmm(2, m, 3, a, b), torch.addmm(2, m, a, b), m.addmm(2, a, b), m.clone().addmm_(1, -2, a, b)]
results += [torch.addmv(2, y, 3, a, z), y.addmv(2, a, z), y.clone().addmv_(0.5, 2, a, z), torch.addr(2, m, 3, y, z), m.clone().addr_(2, y, z)]
results += [torch.addbmm(2, m, 3, a[None], b[None]), m.clone().addbmm_(2, a[None], b[None])]
results += [torch.baddbmm(2, m[None], 3, a[None], b[None]), m[None].baddbmm(2, a[None], b[None]), torch.addmm(m, a, b, beta=2, alpha=3)]
results += [torch.where(mask, x, y), x.where(mask, y), torch.where(mask > 0, x, y)]
sum(results).sum().backward()
print([[round(n, 4) for n in result.flatten().tolist()] for result in results], x.grad.tolist())
"""


def test_old_orders_of_arguments_are_accepted_as_by_pytorch(tmp_path):
    pytest.importorskip("torch")
    assert output(tmp_path, OLD_CALLS) == run(tmp_path, OLD_CALLS, command=()).stdout != ""
    warned = run(tmp_path, "import torch\ntorch.ones(1).add_(2, torch.ones(1))\n")
    assert "add_: a number before the operands is deprecated, use alpha=" in warned.stderr


NAMED = """\
import torch
from torch.optim.optimizer import Optimizer, ParamsT, required
from torch.nn.modules.conv import _ConvNd, _pair, _size_2_t, Parameter
from torch.nn.modules.transformer import _get_clones, _get_activation_fn, MultiheadAttention
from torch.nn.modules.pooling import _MaxPoolNd, _size_any_opt_t, MaxPool2d
from torch.nn.modules.rnn import RNNBase, PackedSequence
from torch.nn.modules.activation import F, Tensor
x = torch.zeros(1000)
print(torch.arange(end=4), torch.arange(end=4.0), torch.arange(start=1, end=4), torch.arange(1, end=7, step=2))
print(torch.split(tensor=torch.arange(3), split_size_or_sections=2), round(torch.det(input=torch.eye(2)).item(), 4))
for y, low, high in ((x.uniform_(2, to=3), 2, 3), (x.clone().uniform_(**{"from": -1, "to": 0}), -1, 0), (x.clone().random_(2, to=4), 2, 3),
                     (x.clone().random_(to=3), 0, 2), (x.clone().random_(**{"from": 5, "to": 7}), 5, 6)):
    print(bool((y >= low).all()), bool((y <= high).all()), bool(y.std() > 0.2))
try:
    torch.arange()
except TypeError:
    print("arange needs an end")
print(_pair(3), F is torch.nn.functional, Tensor is torch.Tensor, PackedSequence is torch.nn.utils.rnn.PackedSequence)
print(len(_get_clones(torch.nn.Linear(1, 1), 2)), _get_activation_fn("gelu") is torch.nn.functional.gelu)
"""


def test_names_of_arguments_and_in_submodules_are_those_of_pytorch(tmp_path):
    pytest.importorskip("torch")
    assert output(tmp_path, NAMED) == run(tmp_path, NAMED, command=()).stdout != ""


IN_PLACE = """\
import torch
from torch.autograd.function import FunctionCtx, InplaceFunction

class Times(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, k):
        assert isinstance(ctx, FunctionCtx)
        x.mul_(k)
        ctx.mark_dirty(x)
        ctx.k = k
        return x
    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.k, None

class Exp(InplaceFunction):
    @staticmethod
    def forward(ctx, x):
        x.exp_()
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x
    @staticmethod
    def backward(ctx, gradient):
        (y,) = ctx.saved_tensors
        return gradient * y

class Other(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x + 1
    @staticmethod
    def backward(ctx, gradient):
        return gradient

a = torch.tensor([1.0, 2.0], requires_grad=True)
b = a * 3
c = Times.apply(b, 2)
print(c is b, b.tolist(), b.requires_grad)
(b * b).sum().backward()
print(a.grad)
for call in (lambda: Times.apply(a, 2), lambda: Other.apply(a * 1)):
    try:
        call()
    except RuntimeError:
        print("refused")
d = torch.ones(3)
print(Times.apply(d, 5) is d, d.tolist(), d.requires_grad)
x = torch.ones(2, 2, requires_grad=True)
y = x * 1
Times.apply(y[0], 7)
y.sum().backward()
print(x.grad)
x = torch.tensor([0.5], requires_grad=True)
y = x * 1
z = y.sin()
Exp.apply(y)
try:
    (z + y).sum().backward()
except RuntimeError:
    print("sin needs what has been overwritten")
y = x * 1
Exp.apply(y)
(g,) = torch.autograd.grad(y, x, create_graph=True)
print(g.item(), torch.autograd.grad(g, x)[0].item())
"""


def test_a_function_may_change_its_inputs(tmp_path):
    pytest.importorskip("torch")
    assert output(tmp_path, IN_PLACE) == run(tmp_path, IN_PLACE, command=()).stdout != ""


BASES = """\
import torch
import torch.nn as nn
from torch.nn.modules.batchnorm import _BatchNorm, _LazyNormBase, _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.modules.loss import _Loss, _WeightedLoss
from torch.nn.modules.padding import _CircularPadNd, _ConstantPadNd, _ReflectionPadNd, _ReplicationPadNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd, _AvgPoolNd, _LPPoolNd, _MaxPoolNd, _MaxUnpoolNd

bases = [value for name, value in sorted(globals().items()) if name[0] == "_" and name[1] != "_"]
made = [
    nn.BatchNorm1d(3), nn.BatchNorm2d(3), nn.BatchNorm3d(3), nn.InstanceNorm1d(3), nn.InstanceNorm2d(3), nn.InstanceNorm3d(3),
    nn.LazyBatchNorm1d(), nn.LazyInstanceNorm2d(), nn.GroupNorm(1, 3), nn.LayerNorm(3), nn.Conv1d(1, 1, 1), nn.Conv2d(1, 1, 1),
    nn.ConvTranspose1d(1, 1, 1), nn.ConvTranspose2d(1, 1, 1), nn.LazyConv2d(1, 1), nn.LazyConvTranspose2d(1, 1), nn.Linear(1, 1),
    nn.Dropout(), nn.Dropout1d(), nn.Dropout2d(), nn.Dropout3d(), nn.AlphaDropout(), nn.FeatureAlphaDropout(), nn.MaxPool1d(2),
    nn.MaxPool2d(2), nn.AvgPool1d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool1d(1), nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool1d(1),
    nn.AdaptiveMaxPool2d(1), nn.LPPool1d(2, 2), nn.LPPool2d(2, 2), nn.MaxUnpool1d(2), nn.MaxUnpool2d(2), nn.ConstantPad1d(1, 0.0),
    nn.ZeroPad1d(1), nn.ZeroPad2d(1), nn.ReflectionPad1d(1), nn.ReflectionPad2d(1), nn.ReplicationPad2d(1), nn.CircularPad2d(1),
    nn.MSELoss(), nn.L1Loss(), nn.CrossEntropyLoss(), nn.NLLLoss(), nn.BCELoss(), nn.BCEWithLogitsLoss(), nn.KLDivLoss(), nn.HuberLoss(),
    nn.TripletMarginLoss(), nn.MultiMarginLoss(), nn.MultiLabelSoftMarginLoss(), nn.PoissonNLLLoss(),
]
for module in made:
    print(type(module).__name__, [base.__name__ for base in bases if isinstance(module, base)])

class Norm(_BatchNorm):
    def _check_input_dim(self, input):
        if input.dim() != 4:
            raise ValueError("four dimensions")
print(Norm(3)(torch.ones(2, 3, 4, 4)).shape, Norm(3))
try:
    Norm(3)(torch.ones(2, 3))
except ValueError as error:
    print(error)

class Standardized(nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(x, self.weight - self.weight.mean((1, 2, 3), keepdim=True), self.bias)
for mode in ("zeros", "reflect", "circular"):
    layer = Standardized(2, 4, 3, padding=1, padding_mode=mode)
    nn.init.ones_(layer.bias)
    y = layer(torch.ones(1, 2, 5, 5))
    print(y.shape, mode == "zeros" or torch.allclose(y, torch.ones(1)), list(layer._reversed_padding_repeated_twice))

class Own(_ConvNd):
    def __init__(self, channels, k):
        super().__init__(channels, channels, (k, k), (1, 1), (k // 2, k // 2), (1, 1), False, (0, 0), 1, True, "zeros")
    def forward(self, x):
        return nn.functional.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
layer = Own(2, 3)
print(layer(torch.ones(1, 2, 5, 5)).shape, layer, layer.transposed, layer.output_padding)

class Loss(_Loss):
    def __init__(self, reduction="mean"):
        super().__init__(None, None, reduction)
    def forward(self, x, y):
        return nn.functional.mse_loss(x, y, reduction=self.reduction)
print(Loss()(torch.ones(3), torch.zeros(3)), Loss("sum").reduction)

class Weighted(_WeightedLoss):
    def __init__(self, weight=None, reduction="mean"):
        super().__init__(weight, reduction=reduction)
    def forward(self, x, y):
        return (self.weight * (x - y)).sum()
print(Weighted(torch.ones(3))(torch.ones(3), torch.zeros(3)), list(Weighted(torch.ones(3)).state_dict()))

class Halved(_DropoutNd):
    def forward(self, x):
        return x * self.p
print(Halved()(torch.ones(2)), Halved(0.25))
"""


def test_base_classes_of_modules_are_pytorchs(tmp_path):
    pytest.importorskip("torch")
    assert output(tmp_path, BASES) == run(tmp_path, BASES, command=()).stdout != ""


LATER = """\
import threading
import torch
import torch.autograd.profiler as old
from torch.futures import Future, collect_all, wait_all
from torch.profiler import ProfilerActivity, profile, record_function, schedule
from torch.serialization import SourceChangeWarning, add_safe_globals, default_restore_location, get_safe_globals, safe_globals

with safe_globals([dict]):
    print(dict in get_safe_globals())
print(dict in get_safe_globals(), issubclass(SourceChangeWarning, Warning))
x = torch.ones(2)
torch.save({"x": x}, "x.pt")
print(torch.load("x.pt", map_location=lambda storage, where: default_restore_location(storage, "cpu"))["x"])

first = Future()
following = first.then(lambda done: done.wait() + 1)
seen = []
first.add_done_callback(lambda done: seen.append(done.value()))
thread = threading.Thread(target=first.set_result, args=(1,))
thread.start()
thread.join()
print(following.wait(), following.done(), seen)
for call in (lambda: first.set_result(2), Future().value):
    try:
        call()
    except RuntimeError:
        print("refused")
print([future.wait() for future in collect_all([first, following]).wait()], wait_all([first, following]), collect_all([]).wait())
failed = Future()
failed.set_exception(ValueError("bad"))
try:
    failed.wait()
except ValueError as error:
    print(error)

layer, optimizer = torch.nn.Linear(4, 4), None
optimizer = torch.optim.SGD(layer.parameters(), 0.1)
with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as prof:
    for _ in range(2):
        with record_function("step"):
            optimizer.zero_grad()
            layer(torch.ones(2, 4)).sum().backward()
            optimizer.step()
averages = {average.key: average for average in prof.key_averages()}
for name in ("step", "Optimizer.step#SGD.step", "SumBackward0", "AddmmBackward0"):
    print(name, averages[name].count, averages["step"].cpu_time_total >= averages[name].cpu_time_total >= averages[name].self_cpu_time_total >= 0)
print("step" in prof.key_averages(group_by_input_shape=True).table(sort_by="self_cpu_time_total", row_limit=3))
prof.export_chrome_trace("trace.json")
print(len(open("trace.json").read()) > 100)
with old.profile(use_cuda=False) as prof, old.record_function("all"):
    x.exp()
print([event.key for event in prof.key_averages()][0], prof.total_average().count >= 2)

def ready(prof):
    print("ready", prof.step_num, len(prof.events()) > 0)
with profile(schedule=schedule(wait=1, warmup=1, active=2, repeat=2), on_trace_ready=ready) as prof:
    for _ in range(10):
        x.exp()
        prof.step()
for plan in (schedule(wait=1, warmup=1, active=2, repeat=2, skip_first=1), schedule(wait=2, warmup=0, active=1)):
    print([plan(i).name for i in range(12)])
"""


@pytest.mark.filterwarnings("ignore")
def test_futures_profiles_and_names_of_files_are_pytorchs(tmp_path):
    pytest.importorskip("torch")
    assert output(tmp_path, LATER) == run(tmp_path, LATER, command=()).stdout != ""


def test_a_profile_knows_ops_in_ops_and_wrong_arguments():
    with cg.profiler.profile() as prof, cg.profiler.record_function("outer"):
        cg.ones(3).softmax(0)
    outer, *inner = prof.events()
    assert (
        outer.self_cpu_time_total
        <= outer.cpu_time_total
        == pytest.approx(outer.self_cpu_time_total + sum(child.cpu_time_total for child in outer.cpu_children))
    )
    assert [event.key for event in inner] == ["softmax"] and inner[0].cpu_parent is outer
    for wrong in ({"sort_by": "nothing"}, {"time_unit": "h"}):
        with pytest.raises(ValueError, match="table"):
            prof.key_averages().table(**wrong)
    with pytest.raises(ValueError, match="schedule: active"):
        cg.profiler.schedule(wait=0, warmup=0, active=0)
    recorded = len(prof.events())
    cg.ones(3).exp()
    assert len(prof.events()) == recorded


HABITS = """\
import copy
import itertools
import pickle
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

class Tree(nn.Module):
    def __init__(self):
        super().__init__()
        for i in range(3):
            self.__setattr__(f"level_{i}", nn.Identity())
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("mean", torch.zeros(1))
    def forward(self, x):
        for i in range(3):
            x = self.__getattr__(f"level_{i}")(x)
        return x * self.__getattr__("scale") + self.__getattr__("mean")
print(Tree()(torch.ones(1)).item())
try:
    Tree().__getattr__("level_9")
except AttributeError:
    print("missing")

class Wrapper(nn.Module):
    def __init__(self):
        super().__init__()
        self.module = Tree()
    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("module"), name)
print(Wrapper().scale.item(), hasattr(Wrapper(), "nothing"))

x, t = torch.tensor([[1.0, 2.0], [3.0, 5.0]]), torch.tensor([0, 1])
for loss in (nn.CrossEntropyLoss, nn.MSELoss, nn.L1Loss, nn.KLDivLoss, nn.SmoothL1Loss):
    other = t if loss is nn.CrossEntropyLoss else x + 1
    print(round(loss(reduction="elementwise_mean")(x, other).item(), 5), round(loss()(x, other).item(), 5))
for function in (F.mse_loss, F.l1_loss, F.kl_div, F.huber_loss):
    print(round(function(x, x + 1, reduction="elementwise_mean").item(), 5))

data = TensorDataset(torch.arange(10))
endless = DataLoader(data, batch_size=4, sampler=RandomSampler(data, replacement=True, num_samples=int(1e10)))
print(len(endless), [len(batch) for (batch,) in itertools.islice(endless, 3)])

own = torch.ones(2)
own.require_grad, own.tags = False, [1]
leaf = nn.Parameter(torch.ones(2))
leaf.tags = [2]
for tensor in (own, leaf):
    for copied in (copy.copy(tensor), copy.deepcopy(tensor), pickle.loads(pickle.dumps(tensor)), tensor + 1):
        print(type(copied).__name__, vars(copied), getattr(copied, "tags", None) is tensor.tags)
print(own.requires_grad, hasattr(torch.ones(2), "tags"))

print(nn.Embedding(3, 2).sparse, nn.EmbeddingBag(3, 2).sparse)
print(torch.sparse.torch.eye(2))
print(torch.is_autocast_enabled(), torch.is_autocast_enabled("cpu"), torch.is_autocast_cpu_enabled())
print(torch.get_autocast_dtype("cpu"), torch.get_autocast_gpu_dtype(), torch.get_autocast_cpu_dtype())

p = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
print(p.multinomial(1), p.multinomial(2, replacement=True), p.bernoulli(), p.bernoulli(1.0))
x = torch.tensor([[-2.0, -0.25, 0.5, 3.0]] * 2)
print(x.prelu(torch.tensor([0.5])), x.hardshrink(), x.hardshrink(1.0), torch.hardshrink(x, 0.3))
for name, arguments in (
    ("selu", ()), ("celu", (2.0,)), ("prelu", (torch.tensor([0.25]),)), ("rrelu", ()), ("threshold", (0.1, 20.0)),
    ("selu_", ()), ("celu_", ()), ("threshold_", (0.1, 20.0)), ("pairwise_distance", (x + 1,)),
):
    y = getattr(torch, name)(x.clone(), *arguments)
    print(name, [[round(v, 4) for v in row] for row in y.reshape(1, -1).tolist()] if name != "rrelu" else y.shape)
images = torch.arange(32.0).reshape(1, 8, 2, 2)
print(torch.pixel_shuffle(images, 2).shape, torch.pixel_unshuffle(images, 2).shape, torch.channel_shuffle(images, 4)[0, :, 0, 0])
print(torch.bilinear(x, x, torch.ones(1, 4, 4), None))

class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, a, gradients):
        ctx.gradients = gradients
        return x * a
    @staticmethod
    def backward(ctx, dy):
        return *ctx.gradients(dy), None
for shape, gradients in (
    ((), lambda dy: (dy, dy)), ((1,), lambda dy: (dy, dy.sum(1, keepdim=True))), ((3, 1), lambda dy: (dy, dy)),
    ((4,), lambda dy: (dy, dy.sum(0, keepdim=True))), ((3, 4), lambda dy: (dy, dy.expand(2, 3, 4))),
    ((3, 4), lambda dy: (dy, dy.reshape(4, 3))), ((3, 4), lambda dy: (dy.sum(), dy)), ((3, 4), lambda dy: (dy, dy[:1])),
):
    x, a = torch.ones(3, 4, requires_grad=True), torch.ones(shape, requires_grad=True)
    try:
        Scaled.apply(x, a, gradients).sum().backward()
        print(x.grad.shape, a.grad)
    except RuntimeError:
        print("wrong shape")
"""


def test_habits_of_scripts_are_followed(tmp_path):
    pytest.importorskip("torch")
    assert output(tmp_path, HABITS) == run(tmp_path, HABITS, command=()).stdout != ""
    warned = run(tmp_path, "import torch\ntorch.nn.L1Loss(reduction='elementwise_mean')\n")
    assert "reduction='elementwise_mean' is deprecated" in warned.stderr
