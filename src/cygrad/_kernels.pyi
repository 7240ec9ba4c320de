# The wrappers in wrappers/*.pxi take and return ndarrays; their docstrings say which.
from typing import Any

def __getattr__(name: str) -> Any: ...
