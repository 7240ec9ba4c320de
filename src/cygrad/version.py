"""``torch.version``: what this build was made for."""

from cygrad._version import __version__ as __version__

cuda = hip = xpu = None
debug = False
git_version = "unknown"
