"""What a request is answered that is not fulfilled."""

from __future__ import annotations

__all__ = ["Refusal"]

# MLflow's names of errors, by HTTP's numbers.
CODES = {404: "ENDPOINT_NOT_FOUND", 500: "INTERNAL_ERROR", 503: "TEMPORARILY_UNAVAILABLE"}


class Refusal(Exception):
    """An HTTP status, and one sentence that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    def content(self) -> dict[str, str]:
        """The answer, as MLflow's server gives it."""
        return {"error_code": CODES.get(self.status, "BAD_REQUEST"), "message": str(self)}
