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
        session = self._remote.get(target)
        if session is None or options:  # they are compared with how the session was started
            session = connect(target, **options)
            try:
                session.__enter__()
            except BaseException:  # also an interrupt of the cell, while it waits
                session.disconnect()
                raise
            self.forget(target)
            self._remote[target] = session
        return session

    def of_session(self, name: str) -> RemoteSession:
        """The session of this machine with that name; one that was closed meanwhile stays so."""
        target = f"local:{name}"
        if target not in self._remote:
            self._remote[target] = connect(target)
        return self._remote[target]

    def forget_session(self, name: str) -> None:
        self.forget(f"local:{name}")

    def forget(self, target: str) -> None:
        """Let a session go; it goes on."""
        session = self._remote.pop(target, None)
        if session is not None:
            session.__exit__(None, None, None)

    def close(self) -> None:
        for session in self._threads.values():
            session.__exit__(None, None, None)
        self._threads.clear()
        for target in list(self._remote):
            self.forget(target)


def _options(arguments: Arguments) -> dict[str, Any]:
    """What a session that is to start is told. The directory and variables of a command are its own."""
    options: dict[str, Any] = {}
    if arguments.python is not None:
        options["python"] = find_interpreter(arguments.python)
    if not arguments.is_command:
        options.update({"cwd": arguments.cwd} if arguments.cwd else {})
        options.update({"env": dict(arguments.env)} if arguments.env else {})
    return options
