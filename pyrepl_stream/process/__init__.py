"""Commands as executions. Standard library only, Python 3.9."""

from .body import ProcessBody

__all__ = ("ProcessBody",)
