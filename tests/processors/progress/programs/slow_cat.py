"""Copies its input to its output, slowly."""

from __future__ import annotations

import sys
import time

while piece := sys.stdin.buffer.read1(8192):
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    time.sleep(0.04)
