"""ONNX: a model as a file that other programs run. It needs the package ``onnx``."""

from cygrad.integrations.onnx.export import OPSETS, export

__all__ = ["OPSETS", "export"]
