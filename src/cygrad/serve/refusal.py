"""The answer to a request that is refused."""

from __future__ import annotations

__all__ = ["Refusal"]

# MLflow's error codes, by HTTP status.
CODES = {404: "ENDPOINT_NOT_FOUND", 500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE"}


class Refusal(Exception):
    """An HTTP status with a message, which is put on one line: it may quote names of the request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(" ".join(message.split()))
        self.status = status

    def content(self) -> dict[str, str]:
        """The body of the answer, in the format of MLflow's server."""
        return {"error_code": CODES.get(self.status, "BAD_REQUEST"), "message": str(self)}
