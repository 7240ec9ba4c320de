"""Checks that a release's tag, CITATION.cff and CHANGELOG.md name the version of the package: check_release.py TAG."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def package_version() -> str:
    """The version that the package has, read without importing it."""
    text = (ROOT / "src/cygrad/_version.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    assert match is not None, "src/cygrad/_version.py sets no __version__"
    return match[1]


def main(tag: str) -> None:
    version = package_version()
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert tag == f"v{version}", f"the tag is {tag}, but the package has version {version}"
    assert f"\nversion: {version}\n" in citation, f"CITATION.cff does not name version {version}"
    assert f"\n## {version}" in changes, f"CHANGELOG.md has no section for version {version}"


if __name__ == "__main__":
    main(sys.argv[1])
