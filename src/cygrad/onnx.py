"""ONNX under PyTorch's name: ``cygrad.onnx.export``, over :func:`cygrad.integrations.onnx.export`."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from cygrad.integrations.onnx import OPSETS
from cygrad.integrations.onnx import export as write
from cygrad.nn.module import Module

__all__ = ["export", "is_in_onnx_export"]


def export(
    model: Module,
    args: Any = (),
    f: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    opset_version: int | None = None,
    dynamic_axes: Mapping[str, Any] | None = None,
    export_params: bool = True,
    **options: Any,
) -> None:
    """Write a model in evaluation mode to an ONNX file. As ``torch.onnx.export``.

    Args:
        model: a module.
        args: an example input, or a tuple of several.
        f: the path of the file, or an open binary file.
        kwargs: must be empty: inputs are positional.
        input_names, output_names: names of the inputs and outputs.
        opset_version: the version of ONNX's operator set; the oldest that is written is 17.
        dynamic_axes: the axis that may have any size, by input: ``{"input": {0: "batch"}}`` or ``{"input": [0]}``; the
            same for all inputs. Without it all sizes are fixed.
        export_params: must be true.
        options: those of PyTorch that change nothing here, such as ``do_constant_folding``.

    Raises:
        NotImplementedError: keyword inputs, files without parameters, or several dynamic axes are asked for.
        TypeError: `f` is missing.
    """
    if f is None:
        raise TypeError("onnx.export: f, the path of the file, is missing")
    if kwargs or (isinstance(args, tuple) and args and isinstance(args[-1], dict)):
        raise NotImplementedError("onnx.export: inputs must be positional, got keyword arguments")
    if not export_params:
        raise NotImplementedError("onnx.export: export_params=False is not supported, a file has its parameters")
    opset = max(opset_version or 18, OPSETS[0])
    if opset_version is not None and opset != opset_version:
        warnings.warn(f"onnx.export: opset {opset_version} is not written, the file has opset {opset}", stacklevel=2)
    named: dict[str, Any] = {"input_names": input_names, "output_names": output_names, "opset": opset}
    axis = dynamic_axis(dynamic_axes or {}, output_names or (), input_names)
    if not hasattr(f, "write"):
        write(model, f, args, batch_axis=axis, **named)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        write(model, path, args, batch_axis=axis, **named)
        with open(path, "rb") as file:
            f.write(file.read())


def dynamic_axis(axes: Mapping[str, Any], outputs: Sequence[str], inputs: Sequence[str] | None) -> int | None:
    """The axis of all inputs that may have any size, None if there is none."""
    asked = {name: sorted(given) for name, given in axes.items() if name not in outputs}
    found = {axis for given in asked.values() for axis in given}
    if len(found) > 1 or (asked and inputs is not None and set(asked) != set(inputs)):
        raise NotImplementedError(
            f"onnx.export: one dynamic axis is supported, the same in every input, got {dict(axes)!r}"
        )
    return next(iter(found), None)


def is_in_onnx_export() -> bool:
    """Return False: a model is exported from what it computes, so that its code needs no form for the export. As
    ``torch.onnx.is_in_onnx_export``."""
    return False
