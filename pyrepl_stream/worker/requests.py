"""What a session is asked to run, as the client says it, the host keeps it and the worker does it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from ..errors import ProtocolError, UsageError
from ..process.ending import DEFAULT_GRACE, Grace

if TYPE_CHECKING:
    from ..process import Command, ProcessBody

__all__ = ("Request", "CommandRequest")


@dataclass(frozen=True)
class CommandRequest:
    """A :class:`Command` and how it is watched, as JSON can carry it. It is checked where it runs."""

    arguments: Any  # text or a list of words
    pty: bool = True
    stderr: str = "merge"
    cwd: Optional[str] = None
    env: Optional[Mapping[str, Optional[str]]] = None
    size: tuple[int, int] = (40, 120)
    stdin: Optional[str] = None  # base64 of what it is fed; None is a pipe that is written to
    interactive: bool = False
    source: str = ""
    idle_timeout: Optional[float] = None
    activity: Optional[list[str]] = None
    watch: tuple[str, ...] = ()
    watch_interval: float = 5.0
    grace: Grace = DEFAULT_GRACE

    @classmethod
    def of(cls, command: Command, **how: Any) -> CommandRequest:
        """Raises :class:`UsageError` for a command whose input is a file: it stays on this machine."""
        if command.stdin_is_file:
            raise UsageError("a command of a session elsewhere cannot be given a file as its input: read it")
        arguments, stdin, cwd = command.arguments, command.stdin, command.cwd
        return cls(
            arguments=arguments if isinstance(arguments, str) else [os.fspath(word) for word in arguments],
            pty=command.pty,
            stderr=command.stderr,
            cwd=None if cwd is None else os.path.abspath(os.fspath(cwd)),
            env=None if command.env is None else dict(command.env),
            size=(command.size[0], command.size[1]),
            stdin=None if stdin is None else _base64(stdin),
            interactive=command.interactive,
            source=command.source,
            **how,
        )

    def body(self) -> ProcessBody:
        """What runs it. Raises :class:`UsageError` as :class:`Command` and its like do."""
        from ..process import Command, Idle, ProcessBody  # here: the host, which runs nothing, stays small

        command = Command(
            self.arguments,
            pty=self.pty,
            stderr=self.stderr,
            cwd=self.cwd,
            env=self.env,
            size=self.size,
            stdin=None if self.stdin is None else base64.b64decode(self.stdin),
            interactive=self.interactive,
            source=self.source,
        )
        idle = Idle(
            self.idle_timeout, activity=self.activity, watch=self.watch, interval=self.watch_interval
        )
        return ProcessBody(command, idle=idle, grace=self.grace)


@dataclass(frozen=True)
class Request:
    """``code`` of Python, or a command (then ``code`` is how people know it). ``timeout`` is in seconds."""

    id: str
    code: str
    command: Optional[CommandRequest] = None
    timeout: Optional[float] = None
    label: str = field(default="", compare=False)  # who asked for it, for `ls`

    @property
    def digest(self) -> str:
        """The same for two requests that are to do the same."""
        about = [self.code, None if self.command is None else asdict(self.command)]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode("ascii")).hexdigest()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Request:
        """Raises :class:`ProtocolError` for what is no request."""
        try:
            values = {name: record[name] for name in ("id", "code", "timeout", "label") if name in record}
            command = record.get("command")
            if command is not None:
                command = dict(command)
                for name in ("size", "watch", "grace"):
                    if name in command:
                        command[name] = tuple(command[name])
                values["command"] = CommandRequest(**command)
            request = cls(**values)
        except (KeyError, TypeError, ValueError) as exc:
            raise ProtocolError(f"no request to run something: {exc}") from exc
        if not isinstance(request.id, str) or not isinstance(request.code, str):
            raise ProtocolError("a request has an `id` and `code`, both text")
        if not isinstance(request.label, str):
            raise ProtocolError(f"`label` has to be text, not {request.label!r}")
        return request


def _base64(data: Any) -> str:
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    return base64.b64encode(data).decode("ascii")
