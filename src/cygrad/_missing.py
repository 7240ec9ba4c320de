"""Why names of PyTorch are not in cygrad, for messages."""

from __future__ import annotations

import re
from importlib import import_module

__all__ = ["attribute_error", "files_of", "found", "reason"]

REASONS = {  # a pattern of names after "torch." → why, or what to use instead
    r"(.*\.)?(Lazy)?[Cc]onv\w*": "it has convolutions of one and two dimensions only",
    r"(.*\.)?(\w*(Pool|pool)3d\w*|\w*[Uu]n[Pp]ool3d|([Ff]ractional)\w*)": "it pools sequences and images",
    r"nn\.attention\.\w+|.*flex_attention.*": "it has one way to compute attention",
    r"(.*\.)?(CTCLoss|ctc_loss|AdaptiveLogSoftmaxWithLoss|[Ll]inear_?[Cc]ross_?[Ee]ntropy\w*|grid_sample|affine_grid)":
        "it has none yet",
    r"nn\.utils\.(fuse|convert)_\w+": "its layers stay as they are",
    r"jit\.\w+|_C": "there is nothing to script; cg.compile records training steps",
    r"(fx|_dynamo|_inductor|export|package)\b.*": "it has no graphs of Python code; cg.compile records training steps",
    r"distributed.*|nn\.parallel\..*|.*DataParallel": "its ranks share work by DistributedDataParallel",
    r"(.*\.)?(sparse|to_sparse|coalesce|SparseAdam)\w*": "its tensors are dense",
    r"(.*\.)?(quantiz|quantis|ao\b|qint|quint|per_tensor|fake_quant)\w*.*": "it has no quantization",
    r"(.*\.)?(complex|cfloat|cdouble|chalf|view_as_|polar|is_conj)\w*": "it has no complex numbers",
    r"fft\.[a-z]\w*|istft": "it has no complex numbers",
    r"hub.*|utils\.model_zoo.*": "it downloads nothing; cygrad.load reads files of weights that you have",
    r"nn\.utils\.prune.*": "it has no pruning",
    r"(.*\.)?(nested|named|Named)\w*.*": "it has no nested and no named tensors",
    r"utils\.(cpp_extension|mobile_optimizer|bottleneck).*": "it runs no code of other libraries",
}  # fmt: skip


def reason(name: str) -> str:
    """Why a name is left out, such as "nn.Conv2d"; empty if nobody decided it."""
    return next((why for pattern, why in REASONS.items() if re.fullmatch(pattern, name)), "")


def attribute_error(package: str, name: str) -> AttributeError:
    """The error of a package of cygrad without a name."""
    why = reason(f"{package.partition('.')[2]}.{name}".lstrip("."))
    return AttributeError(f"module {package!r} has no attribute {name!r}{f': {why}' if why else ''}")


def files_of(names: dict[str, str]) -> dict[str, str]:
    """The file of each name, from the names of each file, separated by spaces."""
    return {name: file for file, listed in names.items() for name in listed.split()}


def found(
    name: str, package: str, folder: str, files: dict[str, str], names: dict[str, object], rest: str = ""
) -> object:
    """A name of a package that is imported when it is first used; from then on it is in `names`.

    It is in the module of `folder` that `files` gives, or in one whose names are all imported with it, `rest`.

    Raises AttributeError, which says why, if it is in neither.
    """
    file = files.get(name, rest if name[0] != "_" else "")
    module = import_module(f"{folder}.{file}") if file else None
    if name not in files and name not in getattr(module, "__all__", ()):
        raise attribute_error(package, name)
    names[name] = value = getattr(module, name)
    return value
