"""cygrad: a lightweight training engine for CPUs."""

import contextlib
from typing import TYPE_CHECKING

from cygrad import autograd as autograd
from cygrad import functions as functions
from cygrad import nn as nn
from cygrad import optim as optim
from cygrad._missing import attribute_error, files_of
from cygrad._version import __version__ as __version__
from cygrad.autograd import enable_grad as enable_grad
from cygrad.autograd import inference_mode as inference_mode
from cygrad.autograd import is_grad_enabled as is_grad_enabled
from cygrad.autograd import no_grad as no_grad
from cygrad.autograd import set_grad_enabled as set_grad_enabled
from cygrad.config import *
from cygrad.creation import *
from cygrad.device import device as device
from cygrad.dtypes import *
from cygrad.functions import *
from cygrad.printing import set_printoptions as set_printoptions
from cygrad.random import *
from cygrad.sizes import Size as Size
from cygrad.tensor import *
from cygrad.tensor import Tensor as Tensor

with contextlib.suppress(ImportError):
    from cygrad.integrations import threadpoolctl as threadpoolctl
with contextlib.suppress(ImportError):
    from cygrad.integrations import einops as einops

if TYPE_CHECKING:
    from cygrad import accelerator as accelerator
    from cygrad import amp as amp
    from cygrad import array_api as array_api
    from cygrad import backends as backends
    from cygrad import compiler as compiler
    from cygrad import cpu as cpu
    from cygrad import cuda as cuda
    from cygrad import data as data
    from cygrad import distributed as distributed
    from cygrad import distributions as distributions
    from cygrad import fft as fft
    from cygrad import func as func
    from cygrad import futures as futures
    from cygrad import jit as jit
    from cygrad import linalg as linalg
    from cygrad import mps as mps
    from cygrad import multiprocessing as multiprocessing
    from cygrad import onnx as onnx
    from cygrad import overrides as overrides
    from cygrad import profiler as profiler
    from cygrad import runs as runs
    from cygrad import special as special
    from cygrad import testing as testing
    from cygrad import train as train
    from cygrad import utils as utils
    from cygrad import version as version
    from cygrad import xpu as xpu
    from cygrad.amp import GradScaler as GradScaler
    from cygrad.amp import autocast as autocast
    from cygrad.compiler import compile as compile
    from cygrad.defaults import *
    from cygrad.func import vmap as vmap
    from cygrad.legacy import *
    from cygrad.memory_pool import empty_cache as empty_cache
    from cygrad.memory_pool import memory_stats as memory_stats
    from cygrad.memory_pool import reset_peak_memory_stats as reset_peak_memory_stats
    from cygrad.memory_pool import set_cache_limit as set_cache_limit
    from cygrad.nn.functional.activation import selu as selu
    from cygrad.nn.functional.conv import *
    from cygrad.nn.functional.distances import bilinear as bilinear
    from cygrad.nn.functional.distances import pairwise_distance as pairwise_distance
    from cygrad.nn.functional.native import *
    from cygrad.nn.functional.pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
    from cygrad.nn.functional.pooling import adaptive_max_pool1d as adaptive_max_pool1d
    from cygrad.nn.functional.pooling import avg_pool1d as avg_pool1d
    from cygrad.nn.functional.pooling import max_pool1d as max_pool1d
    from cygrad.nn.functional.pooling import max_pool1d_with_indices as max_pool1d_with_indices
    from cygrad.nn.functional.pooling import max_pool2d as max_pool2d
    from cygrad.nn.functional.rectifiers import celu as celu
    from cygrad.nn.functional.rectifiers import celu_ as celu_
    from cygrad.nn.functional.rectifiers import hardshrink as hardshrink
    from cygrad.nn.functional.rectifiers import prelu as prelu
    from cygrad.nn.functional.rectifiers import rrelu as rrelu
    from cygrad.nn.functional.rectifiers import rrelu_ as rrelu_
    from cygrad.nn.functional.rectifiers import selu_ as selu_
    from cygrad.nn.functional.rectifiers import threshold as threshold
    from cygrad.nn.functional.rectifiers import threshold_ as threshold_
    from cygrad.nn.functional.recurrent import *
    from cygrad.nn.functional.resizing import channel_shuffle as channel_shuffle
    from cygrad.nn.functional.resizing import pixel_shuffle as pixel_shuffle
    from cygrad.nn.functional.resizing import pixel_unshuffle as pixel_unshuffle
    from cygrad.parallel import parallel_map as parallel_map
    from cygrad.serialization import *
    from cygrad.spectra import stft as stft
    from cygrad.windows import *
else:
    ROOMS = (  # imported when they are first used
        "accelerator", "amp", "array_api", "backends", "compiler", "cpu", "cuda", "data", "distributed",
        "distributions", "fft", "func", "futures", "jit", "linalg", "mps", "multiprocessing", "onnx", "overrides",
        "profiler", "runs", "special", "testing", "train", "utils", "version", "xpu",
    )  # fmt: skip
    OWN = {"METHODS", "NAMES", "OWN", "ROOMS", "TYPE_CHECKING", "attribute_error", "files_of", "public_names"}
    NAMES = files_of({  # likewise
        "amp": "GradScaler autocast",
        "compiler": "compile",
        "defaults": "are_deterministic_algorithms_enabled can_cast channels_last channels_last_3d contiguous_format "
        "is_deterministic_algorithms_warn_only_enabled "
        "get_default_device get_default_dtype get_float32_matmul_precision layout memory_format preserve_format "
        "promote_types set_default_device set_default_dtype set_default_tensor_type set_float32_matmul_precision "
        "strided use_deterministic_algorithms",
        "func": "vmap",
        "nn.functional.conv": "conv1d conv2d conv_transpose1d conv_transpose2d",
        "nn.functional.activation": "selu",
        "nn.functional.distances": "bilinear pairwise_distance",
        "nn.functional.native": "alpha_dropout alpha_dropout_ batch_norm binary_cross_entropy_with_logits "
        "constant_pad_nd cosine_embedding_loss dropout dropout_ embedding embedding_bag embedding_renorm_ "
        "feature_alpha_dropout feature_alpha_dropout_ feature_dropout feature_dropout_ group_norm hinge_embedding_loss "
        "instance_norm kl_div layer_norm margin_ranking_loss poisson_nll_loss rms_norm triplet_margin_loss",
        "spectra": "stft",
        "windows": "bartlett_window blackman_window hamming_window hann_window kaiser_window",
        "nn.functional.rectifiers": "celu celu_ hardshrink prelu rrelu rrelu_ selu_ threshold threshold_",
        "nn.functional.resizing": "channel_shuffle pixel_shuffle pixel_unshuffle",
        "legacy": "BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor IntTensor LongTensor "
        "ShortTensor",
        "memory_pool": "empty_cache memory_stats reset_peak_memory_stats set_cache_limit",
        "nn.functional.pooling": "adaptive_avg_pool1d adaptive_max_pool1d avg_pool1d max_pool1d "
        "max_pool1d_with_indices max_pool2d",
        "nn.functional.recurrent": "gru gru_cell lstm lstm_cell rnn_relu rnn_relu_cell rnn_tanh rnn_tanh_cell",
        "parallel": "parallel_map",
        "serialization": "load save",
    })  # fmt: skip
    METHODS = (  # functions too, as those that end in _
        "conj", "detach", "is_complex", "is_conj", "is_floating_point", "is_inference", "is_neg", "is_nonzero",
        "is_same_size", "resolve_conj", "resolve_neg",
    )  # fmt: skip

    def __getattr__(name):
        """Find what few programs need."""
        import importlib

        if name in ROOMS:
            return importlib.import_module(f"cygrad.{name}")
        if name in NAMES:
            found = getattr(importlib.import_module(f"cygrad.{NAMES[name]}"), name)
        elif name == "__all__":
            found = public_names()
        elif hasattr(functions, name):
            found = getattr(functions, name)
        elif (name in METHODS or (name[-1:] == "_" and name[0] != "_")) and hasattr(Tensor, name):
            return getattr(Tensor, name)  # not kept: `import *` must not depend on what was used before
        else:
            raise attribute_error("cygrad", name)
        globals()[name] = found
        return found

    def __dir__():
        return sorted({*globals(), *public_names()})

    def public_names():
        """What ``from cygrad import *`` imports: everything but modules and what this file needs."""
        from types import ModuleType

        from cygrad.functions import seldom

        names = [n for n, v in globals().items() if n[0] != "_" and not isinstance(v, ModuleType)]
        return sorted({*names, *seldom.__all__, *NAMES, "autograd", "nn", "optim"} - OWN)
