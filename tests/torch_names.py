"""The names of PyTorch: present in cygrad, left out with a reason, or open. ``python -m tests.torch_names`` shows what is open, the most
used first where public data says so; ``--write`` brings the table, ``torch_names.txt``, up to date."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import cygrad as cg
from cygrad._missing import reason

TABLE = Path(__file__).with_suffix(".txt")
ROOMS = [
    "torch", "Tensor", "nn", "nn.functional", "nn.init", "nn.utils", "nn.utils.rnn", "nn.utils.parametrize", "optim", "optim.lr_scheduler", "optim.swa_utils",
    "utils.data", "distributions", "linalg", "fft", "special", "autograd", "autograd.functional", "func", "testing", "amp", "accelerator",
]  # fmt: skip
LEFT_OUT = {  # a pattern of "room.name" → why it is left out, beside cygrad._missing.REASONS
    r"torch\.([A-Z]\w*(Type|Storage|Error|Graph|Module|Dict|List|Script\w*|Loggers?|Hook|Dispatch\w*|Function|Config|Stats|Block|Node|Value|Use|Argument|Spec|Key|Set|State|Info|Op|Kind|Event|Method|Class|Guard)|[A-Z]{2,}|Script\w+|Capsule|AliasDb|IODescriptor|Gradient|Future|Stream|Size|Tag|Code|CallStack|CompilationUnit|FileCheck|Disable\w+|Benchmark\w+|Sym\w+|Execut\w+|Throughput\w+|Tensor\w+|PyTorch\w+|Deep\w+|Deserial\w+|Lite\w+|Named\w+|Noop\w+|Outer\w+|Operator\w+|Parameter\w+|Await\w+|Any\w+|Device\w+|Function\w+|Exclude\w+|Inferred\w+|Interface\w+|JIT\w+|Locking\w+|Module\w+|None\w+|Number\w+|Optional\w+|Out\w+|RRef\w+|Serialization\w+|Static\w+|String\w+|Union\w+|Wait\w+|Buffer\w+|Concrete\w+|Complete\w+|Enum\w+|Fatal\w+|Accel\w+|Aggreg\w+)": "part of the compiler and run-time of PyTorch",
    r".*\.(q_\w+|q\w*int\d\w*|int_repr|dequantize|is_quantized|\w*quant\w*)": "it has no quantization",
    r".*\.(\w*sparse\w*|to_dense|to_mkldnn|coo|indices|values|crow_indices|col_indices|ccol_indices|row_indices|dense_dim|is_coalesced|\w*_csr|\w*_csc|\w*_bsr|\w*_bsc|spmm|hspmm|smm|sspaddmm|saddmm)": "its tensors are dense",
    r".*\.(cudnn_\w+|miopen_\w+|mkldnn_\w+|mps_\w+|fbgemm_\w+|is_vulkan\w*|is_xla|is_ipu|is_maia|is_mtia|is_mps|is_xpu|is_mkldnn|is_hpu|is_meta|ipu|xpu|mtia|mps|hpu|to_padded_tensor|vulkan\w*)": "of another device or library",
    r".*\.(conj\w*|resolve_\w+|angle\w*|real|imag|is_conj|is_complex|is_neg|H|mH|adjoint|isreal|view_as_\w+|eig|eigvals|\w?fft\w*|h?ifft\w*|i?hfft\w*)": "it has no complex numbers",
    r".*\.(align_\w+|names|rename_?|refine_names|has_names|name|unify_\w+)": "it has no named tensors",
    r"torch\.(import_ir_module\w*|parse_\w+|jit\w*|compiled_\w+|fork|wait|merge_type\w*|unify_type\w*|set_\w*(vital|warn|autocast|deterministic_debug|flush)\w*|read_vitals|vitals_enabled|sym_\w+|\w*autocast\w*|layout|memory_format|qscheme|\w*_sync\w*|thread_safe\w*|get_\w*(device_module|vital|autocast|deterministic_debug)\w*|init_num_threads|cond|while_loop|vmap|export|profiler\w*|classproperty|segment_reduce|typed_storage\w*|stack_trace\w*|show|freeze|default_\w+|cpp|has_\w+|candidate|autocast\w*|clear_\w+|obj|cudart|ge_\w+|is_\w*(grad_supported|anomaly\w*|warn\w*|storage|distributed|vulkan\w*|multithreading\w*))": "part of the compiler and run-time of PyTorch",
    r"(nn\.functional)\.([A-Z]\w+|\w*torch_function\w*|boolean_dispatch|assert_int_or_pair|reproducibility_notes|sparse_\w+|tf32_notes)": "a helper of PyTorch's own module",
    r"utils\.data\.(\w*DataPipe\w*|DataChunk|_DatasetKind|argument_validation|functional_datapipe|guaranteed\w+|non_deterministic|runtime_validation\w*)": "data pipes, which PyTorch has given up",
    r"nn\.(factory_kwargs|Container|LinearCrossEntropy\w+)": "internal, or gone",
    r".*\.(common_notes|Tensor|_\w+)": "not a function",
}  # fmt: skip


def names_of_pytorch(room: str) -> list[str]:
    """The public names of a module of PyTorch, or of its Tensor."""
    import torch

    importlib.import_module("torch.distributions"), importlib.import_module("torch.optim.swa_utils")
    if room in ("torch", "Tensor"):
        names = torch.__all__ if room == "torch" else dir(torch.Tensor)
        owner: Any = torch if room == "torch" else torch.Tensor
    else:
        owner = importlib.import_module(f"torch.{room}")
        names = getattr(owner, "__all__", dir(owner))
    return sorted(n for n in set(names) if n[0] != "_" and not inspect.ismodule(getattr(owner, n, None)))


def own(room: str) -> Any:
    """The module of cygrad, or its Tensor; None where there is none."""
    if room in ("torch", "Tensor"):
        return cg if room == "torch" else cg.Tensor
    try:
        return importlib.import_module(f"cygrad.{room}")
    except ImportError:
        return None


def why(room: str, name: str) -> str:
    """Why a name is left out; empty if nobody decided it."""
    text = reason(name if room == "torch" else f"{room}.{name}")
    return text or next((text for pattern, text in LEFT_OUT.items() if re.fullmatch(pattern, f"{room}.{name}")), "")


def sorted_out(room: str) -> dict[str, list[str]]:
    """The names of a room: present, left out, open."""
    found: dict[str, list[str]] = {"present": [], "left out": [], "open": []}
    module = own(room)
    for name in names_of_pytorch(room):
        kind = "present" if module is not None and hasattr(module, name) else "left out" if why(room, name) else "open"
        found[kind].append(name)
    return found


def table() -> dict[str, dict[str, list[str]]]:
    """The table: for each room its names that are present, and those that are open."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in TABLE.read_text().splitlines():
        room, kind, names = line.split(":")
        found.setdefault(room, {})[kind.strip()] = names.split()
    return found


def write() -> None:
    """Bring the table up to date."""
    lines = [f"{room}: {kind}: {' '.join(names)}" for room in ROOMS for kind, names in sorted_out(room).items() if kind != "left out"]
    TABLE.write_text("\n".join(lines) + "\n")


def ranks() -> dict[str, int]:
    """How many public files use a name, where the data is there."""
    path = Path(os.environ.get("CYGRAD_DATA", Path(__file__).parent.parent.parent / "shared" / "data"), "torch_names.txt")
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return {row[2]: int(row[0]) for row in rows if len(row) == 4 and row[0].isdigit()}


def main() -> None:
    warnings.simplefilter("ignore")
    if "--write" in sys.argv:
        write()
    rank = ranks()
    for room in ROOMS:
        found = sorted_out(room)
        use = {n: rank.get(f"torch.{n}" if room == "torch" else f".{n}" if room == "Tensor" else f"torch.{room}.{n}", 0) for n in found["open"]}
        names = sorted(found["open"], key=lambda n: (-use[n], n))
        print(f"{room}: {len(found['present'])} present, {len(found['left out'])} left out, {len(names)} open: " + " ".join(f"{n}({use[n]})" if use[n] else n for n in names))


if __name__ == "__main__":
    main()
