"""The processors of an execution, preceded by the processors that read its output format."""

from __future__ import annotations

from collections.abc import Iterable

from ..pipeline import AnyProcessor, check_processors


def with_format(format: str, processors: Iterable[AnyProcessor]) -> tuple[AnyProcessor, ...]:
    """Return the processors that read ``format``, followed by ``processors``.

    Raises:
        UsageError: The format is unknown, or an item cannot be called.
    """
    checked = check_processors(processors)
    if format == "text":
        return checked
    from .catalogue import processors_of_format  # the readers need large libraries

    return (*processors_of_format(format), *checked)
