"""``python -m cygrad``: the command line."""

import sys

from cygrad.cli import main

sys.exit(main())
