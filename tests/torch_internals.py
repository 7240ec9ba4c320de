"""Import this before ``torch.testing._internal``: what PyTorch's own tests need."""

import contextlib
import sys
import types
import unittest

sys.modules.setdefault("expecttest", types.SimpleNamespace(TestCase=unittest.TestCase))  # only asked for its class
with contextlib.suppress(ImportError):
    import setuptools  # noqa: F401 - before PyTorch imports distutils, which setuptools replaces with a warning
