"""What several commands and callables that run as one execution are made of."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

from ..errors import UsageError
from .call import Call
from .command import DEFAULT_SIZE, Arguments, Command, Standard

__all__ = ("Step",)


@dataclass(frozen=True)
class Step:
    """A command, or a callable, whose messages are labelled with ``source``.

    A callable gets a text writer, runs in a thread of its own, and fails by raising. The other fields
    are those of :class:`Command`. Raises as :class:`Command` does.
    """

    source: str
    command: Optional[Arguments] = None
    call: Optional[Callable[[Any], object]] = None
    pty: bool = True
    stderr: str = "merge"
    cwd: Union[None, str, os.PathLike[str]] = None
    env: Optional[Mapping[str, Optional[str]]] = field(default=None, repr=False)
    size: tuple[int, int] = DEFAULT_SIZE
    stdin: Standard = ""

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or not self.source:
            raise UsageError(f"the source of a step is {self.source!r}, but must be a label for its messages")
        if (self.command is None) == (self.call is None):
            raise UsageError(f"step {self.source!r} needs either a command or a call")
        if self.call is not None and not callable(self.call):
            raise UsageError(f"the call of step {self.source!r} cannot be called: {self.call!r}")
        if self.call is None:
            self.part()

    def part(self) -> Union[Command, Call]:
        """What is run."""
        if self.call is not None:
            return Call(self.call, self.source)
        assert self.command is not None
        return Command(
            self.command,
            pty=self.pty,
            stderr=self.stderr,
            cwd=self.cwd,
            env=self.env,
            size=self.size,
            stdin=self.stdin,
            source=self.source,
        )
