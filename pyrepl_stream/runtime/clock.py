"""A clock that tests of user code cannot freeze."""

from __future__ import annotations

import functools
import time

__all__ = ("monotonic", "wall_time")

# Packages such as freezegun replace the functions of `time` wherever a module has them as an attribute. They
# do not look into partial functions.
monotonic = functools.partial(time.monotonic)
"""``time.monotonic`` as it was when this package was imported."""
wall_time = functools.partial(time.time)
"""``time.time`` as it was when this package was imported."""
