"""Import this before ``torch.testing._internal``: what PyTorch's own tests need."""

import contextlib
import sys
import types
import unittest

sys.modules.setdefault("expecttest", types.SimpleNamespace(TestCase=unittest.TestCase))  # only asked for its class
with contextlib.suppress(ImportError):
    import setuptools  # noqa: F401 - before PyTorch imports distutils, which setuptools replaces with a warning

from torch.testing._internal import common_utils  # noqa: E402 - after what it imports

# Before each sample PyTorch reads the sources of all frames, to find the TestCase that runs, and keeps them once more for
# each kind of device, to seed it when it is first used. Under pytest that takes 60 times as long as the sample.
common_utils.extract_test_fn = lambda: None
common_utils.set_rng_seed = lambda seed=common_utils.SEED: common_utils.torch.default_generator.manual_seed(seed)
