"""Neural networks: modules, functional forms, initialization, utilities. A module is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING

from cygrad._missing import files_of, found
from cygrad.nn import functional, init, utils
from cygrad.nn.module import Module
from cygrad.nn.modules.container import ModuleDict, ModuleList, ParameterList, Sequential
from cygrad.nn.modules.linear import Identity, Linear
from cygrad.nn.parameter import Buffer, Parameter

if TYPE_CHECKING:
    from cygrad.nn import parallel as parallel
    from cygrad.nn.modules.activation import *
    from cygrad.nn.modules.attention import *
    from cygrad.nn.modules.batch_norm import *
    from cygrad.nn.modules.batch_norm import _BatchNorm as _BatchNorm  # which scripts ask for by this name
    from cygrad.nn.modules.conv import *
    from cygrad.nn.modules.conv import _ConvNd as _ConvNd
    from cygrad.nn.modules.dropout import *
    from cygrad.nn.modules.dropout import _DropoutNd as _DropoutNd
    from cygrad.nn.modules.embedding import *
    from cygrad.nn.modules.ensemble import *
    from cygrad.nn.modules.layer_norm import *
    from cygrad.nn.modules.loss import *
    from cygrad.nn.modules.loss import _Loss as _Loss
    from cygrad.nn.modules.pooling import *
    from cygrad.nn.modules.recurrent import *
    from cygrad.nn.modules.seldom import *
    from cygrad.nn.modules.shape import *
    from cygrad.nn.modules.transformer import *

FILES = files_of({
    "activation": "ELU GELU Hardtanh LeakyReLU LogSigmoid LogSoftmax Mish ReLU ReLU6 SELU SiLU Sigmoid Softmax "
    "Softplus Softsign Tanh",
    "attention": "MultiheadAttention",
    "batch_norm": "BatchNorm1d BatchNorm2d _BatchNorm _NormBase",
    "conv": "Conv1d Conv2d ConvTranspose1d ConvTranspose2d _ConvNd _ConvTransposeNd",
    "dropout": "Dropout _DropoutNd",
    "embedding": "Embedding",
    "ensemble": "EnsembleBlend EnsembleLinear EnsembleMean EnsemblePeriodicEmbedding EnsembleScale "
    "EnsembleSharedLinear",
    "layer_norm": "LayerNorm",
    "loss": "BCELoss BCEWithLogitsLoss CrossEntropyLoss HuberLoss KLDivLoss L1Loss MSELoss NLLLoss SmoothL1Loss "
    "_Loss _WeightedLoss",
    "pooling": "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d AvgPool1d AvgPool2d LPPool1d "
    "LPPool2d MaxPool1d MaxPool2d MaxUnpool1d MaxUnpool2d _AdaptiveAvgPoolNd _AdaptiveMaxPoolNd _AvgPoolNd _LPPoolNd "
    "_MaxPoolNd _MaxUnpoolNd",
    "recurrent": "GRU GRUCell LSTM LSTMCell RNN RNNBase RNNCell RNNCellBase",
    "shape": "Flatten Unflatten",
    "transformer": "Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder TransformerEncoderLayer",
})  # fmt: skip

BASES = files_of({  # the base classes of modules that few networks need
    "group_norm": "_InstanceNorm",
    "lazy": "_LazyNormBase",
    "resizing": "_CircularPadNd _ConstantPadNd _ReflectionPadNd _ReplicationPadNd",
})  # fmt: skip

__all__ = [
    "Buffer",
    "Identity",
    "Linear",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ParameterList",
    "Sequential",
    "functional",
    "init",
    "utils",
]
__all__ += [name for name in FILES if name[0] != "_"]


if not TYPE_CHECKING:

    def __getattr__(name):
        """Import a module when it is first used, or say why it is missing."""
        if name == "parallel":
            return import_module("cygrad.nn.parallel")
        return found(name, "cygrad.nn", "cygrad.nn.modules", FILES | BASES, globals(), rest="seldom")

    def __dir__():
        from cygrad.nn.modules import seldom

        return sorted({*globals(), *__all__, *seldom.__all__})
