"""Whether the model is good enough to be published: exit code 1 where it is not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from project import EVALUATION, params


def main() -> int:
    accuracy = json.loads(Path(EVALUATION, "metrics.json").read_text(encoding="utf-8"))["accuracy"]
    least = params("evaluate")["least_accuracy"]
    good = accuracy >= least
    print(f"accuracy {accuracy:.4f} on the test part, at least {least} wanted: {'good' if good else 'not good'} enough")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
