"""Measure the effect of each technique, print the tables of docs/remedies and draw its plots (with matplotlib):
``python examples/remedies [NAME ...] [--out FOLDER]``."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "remedies"
REMEDIES = [
    "early_stopping",
    "weight_decay",
    "dropout",
    "augmentation",
    "token_augmentation",
    "clipping",
    "normalization",
    "initialization",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(REMEDIES)} (default: all)")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the plots (default: docs/remedies)")
    options = parser.parse_args()
    if unknown := set(options.names) - set(REMEDIES):
        parser.error(f"unknown name {', '.join(sorted(unknown))}, expected {', '.join(REMEDIES)}")
    from drawing import save

    for name in options.names or REMEDIES:
        remedy = importlib.import_module(name)
        try:
            results = remedy.measure()
        except FileNotFoundError as error:
            print(f"{name}: skipped ({error})", file=sys.stderr)
            continue
        print(f"\n{name}\n\n{remedy.report(results)}", flush=True)
        options.out.mkdir(parents=True, exist_ok=True)
        save(remedy.plot(results), options.out / f"{name}.png")


if __name__ == "__main__":
    main()
