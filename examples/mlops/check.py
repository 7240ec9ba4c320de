"""Checks that the model is good enough to be published; exits with code 1 if it is not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from project import EVALUATION, params


def main() -> int:
    accuracy = json.loads(Path(EVALUATION, "metrics.json").read_text(encoding="utf-8"))["accuracy"]
    minimum = params("evaluate")["min_accuracy"]
    good = accuracy >= minimum
    print(f"test accuracy {accuracy:.4f}, required {minimum}: {'good' if good else 'not good'} enough")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
