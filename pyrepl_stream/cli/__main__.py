"""Runs the command line: ``python -m pyrepl_stream.cli``."""

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
