"""threadpoolctl, with which scikit-learn, joblib and users limit the threads of all libraries in a process."""

from __future__ import annotations

import threadpoolctl

from cygrad._version import __version__
from cygrad.config import get_num_threads, set_num_threads

__all__ = ["Controller"]


class Controller(threadpoolctl.LibController):  # type: ignore[misc] # threadpoolctl has no types
    """Lets threadpoolctl control the threads of cygrad's kernels.

    >>> import threadpoolctl
    >>> with threadpoolctl.threadpool_limits(1, user_api="cygrad"):
    ...     cg.get_num_threads()
    1
    """

    user_api = "cygrad"
    internal_api = "cygrad"
    filename_prefixes = ("_kernels",)
    check_symbols = ("cg_num_threads", "cg_set_num_threads")

    def get_num_threads(self) -> int:
        """Returns the number of threads that a kernel may use."""
        return get_num_threads()

    def set_num_threads(self, num_threads: int) -> None:
        """Sets the number of threads that a kernel may use."""
        set_num_threads(num_threads)

    def get_version(self) -> str:
        """Returns cygrad's version."""
        return __version__


threadpoolctl.register(Controller)
