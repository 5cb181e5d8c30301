"""The ``write`` method that threads find in ``sys.stdout``, and its exchange while they use it."""

from __future__ import annotations

import functools
from typing import Callable, Optional

__all__ = ("WriteBinding",)


class WriteBinding:
    """Puts one of two ``write`` functions into the bound threads' dicts in the stdout proxy.

    The attribute ``write`` is for user code that saves the function: it follows every exchange and still
    runs as C code, since ``partial.__setstate__`` changes in place the function that a partial calls.
    """

    def __init__(
        self,
        direct: Callable[[str], int],
        checked: Callable[[str], int],
        flush: Callable[[], object],
        is_direct: Callable[[], bool],
    ) -> None:
        """``is_direct`` decides which of the two functions is used, each time :meth:`update` is called."""
        self.direct = direct
        self.write = functools.partial(checked)
        self.flush = flush
        self._checked = checked
        self._is_direct = is_direct
        self._threads: list[dict[str, object]] = []  # their dicts in the stdout proxy
        self.on_unbound: Callable[[], object] = lambda: None
        """Called when no thread is bound any more, in the thread that was the last."""

    @property
    def count(self) -> int:
        """The number of bound threads."""
        return len(self._threads)

    def bind(self, names: dict[str, object]) -> None:
        """Add a thread; ``names`` is its dict in the stdout proxy."""
        self._threads.append(names)
        self.update()

    def unbind(self, names: dict[str, object]) -> None:
        """Remove a thread."""
        self._threads[:] = [known for known in self._threads if known is not names]
        names.pop("write", None)
        names.pop("flush", None)
        if not self._threads:
            self.on_unbound()

    def update(self) -> None:
        """Exchange ``write`` according to ``is_direct``. May be called from any thread."""
        direct: Optional[bool] = None
        while direct != self._is_direct():  # repeat if another thread changed the state meanwhile
            direct = self._is_direct()
            target = self.direct if direct else self._checked
            self.write.__setstate__((target, (), {}, None))  # type: ignore[attr-defined]  # not in typeshed
            for names in list(self._threads):
                names["write"] = self.direct if direct else self.write
                names["flush"] = self.flush
