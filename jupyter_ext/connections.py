"""The sessions that a shell's cells run in, by their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyrepl_stream import RemoteSession, Session, connect, find_interpreter

from .arguments import Arguments

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("Connections",)


class Connections:
    """Sessions in threads end with this; the others are only let go."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._threads: dict[str, Session] = {}
        self._remote: dict[str, RemoteSession] = {}

    def thread(self, target: str) -> Session:
        session = self._threads.get(target)
        if session is None:
            namespace = self._shell.user_ns if target == "thread:" else None
            session = self._threads[target] = Session(namespace).__enter__()
            session.namespace.setdefault("get_ipython", self._shell.get_ipython)
        return session

    def remote(self, arguments: Arguments) -> RemoteSession:
        """The session of a cell, connected. Raises :class:`UsageError` and :class:`TargetError`."""
        return self._connected(arguments.target, _options(arguments))

    def _connected(self, target: str, options: dict[str, Any]) -> RemoteSession:
        if target == "local:":
            target = "local:default"  # what it is called where sessions are listed
        known = self._remote.get(target)
        if known is not None and not options:
            return known
        session = connect(target, **options)
        try:
            session.__enter__()  # options are compared with how the session was started
        except BaseException:  # also an interrupt of the cell, while it waits
            session.disconnect()
            raise
        if known is not None:  # what is shown of earlier cells comes by that one
            session.__exit__(None, None, None)
            return known
        self._remote[target] = session
        return session

    def of_session(self, name: str) -> RemoteSession:
        """The session of this machine with that name; one that was closed meanwhile stays so."""
        target = f"local:{name}"
        if target not in self._remote:
            self._remote[target] = connect(target)
        return self._remote[target]

    def forget_session(self, name: str) -> None:
        """It was closed: another of that name is another. What still comes of the old one is shown."""
        self._remote.pop(f"local:{name}", None)

    def close(self) -> None:
        for sessions in (self._threads, self._remote):
            for session in sessions.values():
                session.__exit__(None, None, None)
            sessions.clear()


def _options(arguments: Arguments) -> dict[str, Any]:
    """What a session that is to start is told. The directory and variables of a command are its own."""
    options: dict[str, Any] = {}
    if arguments.python is not None:
        options["python"] = find_interpreter(arguments.python)
    if not arguments.is_command:
        options.update({"cwd": arguments.cwd} if arguments.cwd else {})
        options.update({"env": dict(arguments.env)} if arguments.env else {})
    return options
