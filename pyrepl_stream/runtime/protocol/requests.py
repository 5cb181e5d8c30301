"""Requests to run code or a command: sent by the client, kept by the host, run by the worker."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from ..errors import ProtocolError
from ..fields import read_fields

if TYPE_CHECKING:
    from ..process import Command, Limits

__all__ = ("CommandRequest", "Request")


@dataclass(frozen=True)
class CommandRequest:
    """A command and its limits in their JSON form.

    A host only keeps it and passes it on; the worker, which runs the command, checks it.
    """

    fields: Mapping[str, Any]

    @classmethod
    def of(cls, command: Command, limits: Optional[Limits] = None, **fields: Any) -> CommandRequest:
        """Return the request to run ``command``.

        Args:
            command: The command.
            limits: When and how to end it. The timeout is not included: see :class:`Request`.
            **fields: Deprecated: ``idle_timeout``, ``activity``, ``watch``, ``watch_interval`` and
                ``grace`` instead of ``limits``.

        Raises:
            UsageError: The command inherits a file, which stays on this machine.
        """
        from ..process import Limits  # imported here, to keep the host small: it runs no commands

        if fields:
            text = "the keywords of CommandRequest.of() are deprecated: pass Limits(...)"
            warnings.warn(text, DeprecationWarning, stacklevel=2)
            limits = Limits.from_json(fields)
        return cls({**command.as_json(), **(limits or Limits()).as_json()})

    def load(self) -> tuple[Command, Limits]:
        """Return the checked command and its limits.

        Raises:
            UsageError: See :class:`Command` and :class:`Limits`.
        """
        from ..process import Command, Limits

        return Command.from_json(self.fields), Limits.from_json(self.fields)


@dataclass(frozen=True)
class Request:
    """A request to run Python code, or a command.

    Args:
        id: The execution's id.
        code: The code; for a command, the text that is shown for it.
        command: The command; None for Python code.
        timeout: Seconds that the execution may take; None for no limit.
        label: The client that made the request, shown by ``ls``.
    """

    id: str
    code: str
    command: Optional[CommandRequest] = None
    timeout: Optional[float] = None
    label: str = field(default="", compare=False)

    @property
    def digest(self) -> str:
        """A hash of the code and the command, but not of id, timeout and label."""
        content = [self.code, None if self.command is None else dict(self.command.fields)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode("ascii")).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Return the request as JSON values."""
        return {**vars(self), "command": None if self.command is None else dict(self.command.fields)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Request:
        """Return the request from the result of :meth:`as_json`. The caller must check its timeout.

        Raises:
            ProtocolError: ``record`` is not a request.
        """
        try:
            values = read_fields(cls, {**record, "command": None, "timeout": None})
            command, values["timeout"] = record.get("command"), record.get("timeout")
            values["command"] = None if command is None else CommandRequest(dict(command))
            return cls(**values)
        except (TypeError, ValueError) as exc:
            raise ProtocolError(f"the request is not valid: {exc}") from exc
