"""Checks that the log of ``cygrad train`` reports at least a given test accuracy: check_accuracy.py LOG PERCENT."""

from __future__ import annotations

import re
import sys
from pathlib import Path

match = re.search(r"test accuracy\s+([\d.]+)", Path(sys.argv[1]).read_text(encoding="utf-8"))
assert match is not None, f"{sys.argv[1]} reports no test accuracy"
assert float(match[1]) >= float(sys.argv[2]), f"the test accuracy is only {match[1]} %, expected {sys.argv[2]} %"
