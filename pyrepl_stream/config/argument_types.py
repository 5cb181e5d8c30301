"""Types of option values, for the argument parsers of the command line and of the magics."""

from __future__ import annotations

import argparse

from ..runtime.validation import check_seconds

__all__ = ("parse_assignment", "parse_seconds")


def parse_seconds(text: str) -> float:
    """Return ``text`` as a positive, finite number of seconds.

    Raises:
        argparse.ArgumentTypeError: ``text`` is not such a number.
    """
    try:
        seconds = check_seconds("", float(text))
    except ValueError:  # includes UsageError
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds") from None
    assert seconds is not None
    return seconds


def parse_assignment(text: str) -> tuple[str, str]:
    """Split ``NAME=VALUE`` into its two parts. The value may be empty.

    Raises:
        argparse.ArgumentTypeError: ``text`` does not have this form.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value
