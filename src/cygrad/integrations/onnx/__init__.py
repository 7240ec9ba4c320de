"""ONNX: exports a model to a file that other programs can run. Needs the package ``onnx``."""

from cygrad.integrations.onnx.export import OPSETS, export

__all__ = ["OPSETS", "export"]
