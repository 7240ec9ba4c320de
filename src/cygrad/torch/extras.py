"""Names of ``torch`` that make sense in scripts of PyTorch only."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from cygrad.accelerator import OutOfMemoryError
from cygrad.autograd import is_grad_enabled
from cygrad.defaults import layout
from cygrad.dtypes import Absent, bfloat16, dtype
from cygrad.functions.storages import Storage, UntypedStorage
from cygrad.jit import ScriptFunction, ScriptModule
from cygrad.torch.absent import Absent as AbsentClass
from cygrad.torch.operators import Operators

__all__ = ["EXTRAS"]


def _assert(condition: Any, message: str) -> None:
    """Raise AssertionError with the message unless the condition holds."""
    assert condition, message


def _check(condition: Any, message: Any = None) -> None:
    """Raise RuntimeError unless the condition holds, with the text that ``message()`` returns."""
    if not condition:
        raise RuntimeError(message() if message is not None else "Expected cond to be True")


def is_inference_mode_enabled() -> bool:
    """Whether no gradients are recorded: ``inference_mode`` is ``no_grad`` here."""
    return not is_grad_enabled()


def get_num_interop_threads() -> int:
    """Return 1: operations run one after the other."""
    return 1


def set_num_interop_threads(threads: int) -> None:
    """Do nothing: operations run one after the other."""


def set_flush_denormal(mode: bool) -> bool:
    """Return whether denormal numbers can be flushed to zero: no."""
    return False


def set_warn_always(always: bool) -> None:
    """Do nothing: Python's filters decide how often a warning is shown."""


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Return False: ``autocast`` has no effect."""
    return False


def is_autocast_cpu_enabled() -> bool:
    """Return False: ``autocast`` has no effect."""
    return False


def get_autocast_dtype(device_type: str) -> Any:
    """Return the dtype in which ``autocast`` would compute on the device."""
    return bfloat16 if device_type == "cpu" else dtype("float16")


def get_autocast_gpu_dtype() -> Any:
    """Return float16."""
    return get_autocast_dtype("cuda")


def get_autocast_cpu_dtype() -> Any:
    """Return bfloat16."""
    return bfloat16


def clear_autocast_cache() -> None:
    """Do nothing: no tensors are cast."""


class SparseModule(ModuleType):
    """``torch.sparse``, of which old scripts take the name ``torch``, and others would need sparse tensors."""

    def __getattr__(self, name: str) -> Any:
        if name == "torch":
            return sys.modules["torch"]
        raise AttributeError(f"torch.sparse.{name} is not in cygrad: its tensors are dense")


class Config:
    """``torch.__config__``: how the library was built."""

    @staticmethod
    def show() -> str:
        """Return a description of the library and the machine."""
        from cygrad import config

        return str(config.show_config())

    @staticmethod
    def parallel_info() -> str:
        """Return the thread count."""
        from cygrad import config

        return f"cygrad: {config.get_num_threads()} threads"


def absent_dtypes() -> dict[str, Absent]:
    """The dtypes of PyTorch that tensors of cygrad can't have."""
    complex_sizes = {"complex32": 4, "complex64": 8, "complex128": 16}
    others = {
        **dict.fromkeys(("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"), 1),
        **dict.fromkeys(("qint8", "quint8", "quint4x2", "quint2x4", "bits8"), 1),
        "bits16": 2, "float4_e2m1fn_x2": 1, "qint32": 4,
    }  # fmt: skip
    found = {name: Absent(name, size, "cygrad has no complex numbers") for name, size in complex_sizes.items()}
    found.update(chalf=found["complex32"], cfloat=found["complex64"], cdouble=found["complex128"])
    return {**found, **{name: Absent(name, size, "NumPy has no such dtype") for name, size in others.items()}}


FUNCTIONS = (
    _assert, _check, clear_autocast_cache, get_autocast_cpu_dtype, get_autocast_dtype, get_autocast_gpu_dtype,
    get_num_interop_threads, is_autocast_cpu_enabled, is_autocast_enabled, is_inference_mode_enabled,
    set_flush_denormal, set_num_interop_threads, set_warn_always,
)  # fmt: skip
NAMED = (  # in annotations, and as attributes of classes that programs do not use
    "PyTorchFileReader", "PyTorchFileWriter", "SymBool", "SymFloat", "SymInt", "conv3d", "conv_transpose3d",
    "max_pool3d",
)  # fmt: skip
EXTRAS = {
    "OutOfMemoryError": OutOfMemoryError,
    "TypedStorage": Storage,
    "UntypedStorage": UntypedStorage,
    "__config__": Config,
    "ops": Operators(),
    "ScriptFunction": ScriptFunction,
    "ScriptModule": ScriptModule,
    **{name: AbsentClass(f"torch.{name}") for name in NAMED},
    "sparse": SparseModule("torch.sparse"),
    **absent_dtypes(),
    **{f"sparse_{kind}": layout(f"torch.sparse_{kind}") for kind in ("bsc", "bsr", "coo", "csc", "csr")},
    **{function.__name__: function for function in FUNCTIONS},
}
