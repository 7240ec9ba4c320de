"""The module ``torch``, the modules with other names in cygrad, and why names are left out."""

from __future__ import annotations

import importlib
import re
from types import ModuleType
from typing import Any

import cygrad
from cygrad._missing import reason
from cygrad.nn.modules import FILES
from cygrad.torch import sizes
from cygrad.torch.absent import IMPORTED, Absent
from cygrad.torch.extras import EXTRAS
from cygrad.torch.foreach import foreach
from cygrad.torch.overloads import old_functions

__all__ = ["FUNCTIONS", "RENAMED", "left_out", "opened", "torch_module"]

VERSION = "2.13.0+cygrad"  # scripts compare it

DISTRIBUTIONS = {
    "continuous": ["cauchy", "exponential", "gumbel", "half_normal", "laplace", "normal", "uniform"],
    "counts": ["binomial", "multinomial", "negative_binomial", "poisson"],
    "gamma": ["beta", "chi2", "dirichlet", "fishersnedecor", "inverse_gamma", "studentT"],
    "seldom": [
        "continuous_bernoulli",
        "half_cauchy",
        "kumaraswamy",
        "mixture_same_family",
        "pareto",
        "relaxed_bernoulli",
        "relaxed_categorical",
        "von_mises",
        "weibull",
    ],
    "discrete": ["bernoulli", "categorical", "geometric", "one_hot_categorical"],
    "distribution": ["independent"],
    "multivariate": ["multivariate_normal"],
    "transforms": ["transformed_distribution", "log_normal"],
}
AT_ONCE = [
    "autograd.forward_ad", "cpu", "distributions.utils", "nn._reduction", "nn.attention", "nn.grad",
    "nn.modules.pooling", "nn.modules.transformer", "nn.parallel", "overrides", "quasirandom",
    "serialization",
]  # fmt: skip
RENAMED = {
    **{f"torch.{name}": f"cygrad.{name}" for name in AT_ONCE},  # imported with torch, but not with cygrad
    **{
        f"torch.distributions.{name}": f"cygrad.distributions.{file}"
        for file, names in DISTRIBUTIONS.items()
        for name in names
    },
    **{
        f"torch.utils.data.{name}": "cygrad.utils.data"
        for name in ("dataset", "dataloader", "sampler", "distributed", "_utils", "_utils.collate", "_utils.worker")
    },
    "torch.utils.dlpack": "cygrad.creation",
    "torch.utils.hooks": "cygrad.autograd.hooks",
    "torch.autograd.profiler": "cygrad.profiler",
    "torch.profiler.profiler": "cygrad.profiler",
    "torch.autograd.anomaly_mode": "cygrad.autograd.grad_mode",
    "torch.nn.common_types": "cygrad.torch.sizes",
    "torch.nn.parameter": "cygrad.nn",
    "torch.nn.modules.utils": "cygrad.torch.sizes",
    "torch.nn.parallel.distributed": "cygrad.nn.parallel",
    "torch.optim.adamw": "cygrad.optim",
    "torch.autograd.variable": "cygrad.autograd",
    "torch.nn.modules.module": "cygrad.nn.module",
    **{
        f"torch.nn.modules.{name}": "cygrad.nn"
        for name in {*FILES, "activation", "container", "distance", "dropout", "lazy", "linear", "loss"} - {"module"}
    },
    "torch.optim.optimizer": "cygrad.torch.optimizers",
    "torch._tensor": "cygrad.tensor",
    "torch._tensor_str": "cygrad.torch.tensor_str",
    "torch._C": "cygrad.torch.private",
    **{f"torch._subclasses{name}": "cygrad.torch.fake_tensor" for name in ("", ".fake_tensor")},
    "torch.fx": "cygrad.torch.graphs",
    "torch._dynamo": "cygrad.torch.dynamo",
    "torch.cuda.amp": "cygrad.amp",
    "torch.cuda.random": "cygrad.random",
    "torch.cpu.amp": "cygrad.amp",
    "torch.storage": "cygrad.functions.storages",
    "torch.types": "cygrad.torch.annotations",
    "torch.functional": "cygrad",
    "functorch": "cygrad.torch.functorch",
    **{f"torch.optim.{name}": "cygrad.optim" for name in ("adadelta", "adamax", "asgd", "nadam", "radam", "rprop")},
    **{f"torch.{room}amp.{name}": "cygrad.amp" for room in ("", "cuda.") for name in ("autocast_mode", "grad_scaler")},
    **{f"torch.nn.utils.{name}": "cygrad.nn.utils" for name in ("convert_parameters", "init")},
}
FUNCTIONS = {  # modules with the name of a function of their package → their names
    "torch.autograd.graph": [
        "GradientEdge", "Node", "get_gradient_edge", "increment_version", "register_multi_grad_hook", "save_on_cpu",
    ],
    "torch.nn.utils.weight_norm": ["weight_norm", "remove_weight_norm"],
    "torch.nn.utils.spectral_norm": ["spectral_norm", "remove_spectral_norm"],
    "torch.nn.parallel.data_parallel": ["data_parallel", "DataParallel"],
}


def is_module(path: str) -> bool:
    """Whether PyTorch has a module that is found without its import, such as ``torch.distributions.normal``."""
    return path in RENAMED or path in FUNCTIONS or IMPORTED.fullmatch(path) is not None


class Package(ModuleType):
    """A package of cygrad whose attributes are PyTorch's modules too: ``torch.distributions.normal.Normal``."""

    def __getattr__(self, name: str) -> Any:
        path = f"torch{self.__name__.removeprefix('cygrad')}.{name}"
        if is_module(path):
            return importlib.import_module(path)
        if self.__name__.startswith("cygrad.nn.modules."):
            return getattr(cygrad.nn, name)
        if name in INNER and self.__name__ == "cygrad.nn":
            return INNER[name]
        own = self.__dict__.get("__getattr__")
        if LAYERS.fullmatch(path):
            value = self.__dict__[name] = Absent(path)
            return value
        if own is not None:
            return own(name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


LISTED = ("torch.nn", "torch.nn.functional", "torch.optim", "torch.optim.lr_scheduler")  # in __dict__, as programs ask
LAYERS = re.compile(  # of PyTorch that are not in cygrad; programs that can do without name them too
    r"torch\.nn\.((Lazy)?Conv(Transpose)?3d|LazyConvTranspose3d|(Adaptive)?(Avg|Max)Pool3d|MaxUnpool3d|LPPool3d|CTCLoss|"
    r"FractionalMaxPool[23]d|AdaptiveLogSoftmaxWithLoss)|torch\.nn\.functional\.(conv(_transpose)?3d|"
    r"(adaptive_)?(avg|max)_pool3d|max_unpool3d|lp_pool3d|ctc_loss|grid_sample|affine_grid|fractional_max_pool[23]d)"
)
INNER = {  # what PyTorch's modules of layers import, and copies of its layers from them
    **{name: value for name, value in vars(sizes).items() if re.match("_(size|ratio|[a-z]*ple$|sing|pair|rev)", name)},
    "F": cygrad.nn.functional,
    "PackedSequence": cygrad.nn.utils.rnn.PackedSequence,
    "Tensor": cygrad.Tensor,
}
PACKAGES = {path.rpartition(".")[0] for path in (*RENAMED, *FUNCTIONS, "torch.nn.functional.")} - {"", "torch"}


def opened(path: str, module: Any) -> Any:
    """A module of cygrad that stands for one of PyTorch, which with the packages in it then has PyTorch's modules."""
    if path in LISTED:
        for name in dir(module):
            getattr(module, name, None)  # which imports it
    if path.startswith("torch.nn.modules.") and type(module) is ModuleType:
        module.__class__ = Package
    for name in PACKAGES:
        if f"{name}.".startswith(f"{path}."):
            package = importlib.import_module(RENAMED.get(name, name.replace("torch", "cygrad", 1)))
            if type(package) is ModuleType:
                package.__class__ = Package
    return module


class TorchModule(ModuleType):
    """The module ``torch``: the names of cygrad, looked up when they are asked for."""

    __cygrad__ = True

    def __getattr__(self, name: str) -> Any:
        if is_module(f"torch.{name}"):
            return importlib.import_module(f"torch.{name}")
        try:
            value = foreach(name) or getattr(cygrad, name)
        except AttributeError:
            raise AttributeError(f"torch.{name} is not in cygrad{left_out(f'torch.{name}')}") from None
        if type(value).__module__ == "numpy.dtypes":
            value = cygrad.dtype(value)
        if isinstance(value, ModuleType):
            value = opened(f"torch.{name}", value)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return dir(cygrad)


def compile(model: Any = None, *, disable: bool = False, **options: Any) -> Any:
    """``torch.compile``: a function becomes one that records its training step; a module stays as it is.

    Args:
        model: a function, or a module; without one, a decorator is returned.
        disable: return the function as it is.
        options: of PyTorch, accepted without effect.
    """
    if model is None:
        return lambda function: compile(function, disable=disable)
    return model if disable or isinstance(model, cygrad.nn.Module) else cygrad.compile(model)


def torch_module() -> ModuleType:
    """A new module ``torch``."""
    module = TorchModule("torch", cygrad.__doc__)
    module.__file__, module.__path__ = cygrad.__file__, []
    vars(module).update(EXTRAS, **old_functions(), __version__=VERSION, compile=compile, torch=module)
    return module


def left_out(name: str) -> str:
    """Why a name is not there, as the end of a sentence."""
    text = reason(re.sub(r"^torch\.", "", name))
    return f": {text}" if text else ""
