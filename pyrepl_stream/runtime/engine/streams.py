"""The streams that user code sees as ``sys.stdout`` and ``sys.stderr``.

:class:`OutputStream` is one stream of one execution, with everything that programs expect of a text file.
:class:`StreamProxy` takes the place of a stream in ``sys``, and forwards each thread to the stream of its
execution: a thread that belongs to one execution has that execution's ``write`` in its own dict; other
threads look it up.
"""

from __future__ import annotations

import codecs
import io
import sys
import threading
from typing import Any, Callable, ClassVar, Optional

from ..messages import StreamType
from .context import current
from .writer import Writer

__all__ = ("OutputStream", "LineWriter", "StreamProxy")


class _Bytes(io.BufferedIOBase):
    """``sys.stdout.buffer``: bytes are written unchanged, in order with the text."""

    def __init__(self, owner: OutputStream) -> None:
        self._owner = owner

    @property
    def raw(self) -> _Bytes:
        # Unbuffered, so it is its own raw stream.
        return self

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        chunk = bytes(memoryview(data))
        if chunk:
            self._owner.writer.post(self._owner.stream, chunk)
        return len(chunk)

    def fileno(self) -> int:
        return self._owner.fileno()

    def close(self) -> None:
        """Do nothing: all code of the process shares the standard streams."""


class OutputStream(io.TextIOBase):
    """One stream of one execution. It has the methods of a text file that is not a terminal."""

    encoding = "utf-8"
    errors = "surrogatepass"
    newlines = None  # line ends are not translated
    line_buffering = False
    write_through = False
    mode = "w"

    def __init__(self, writer: Writer, stream: StreamType, descriptor: Optional[int] = None) -> None:
        self._descriptor = descriptor
        self.writer = writer
        self.stream = stream
        self.name = f"<{stream.value}>"
        self.buffer = _Bytes(self)
        self._encode: Optional[Callable[[str], bytes]] = None  # set by `reconfigure` for another encoding

    def write(self, text: str) -> int:
        """Write text. Return the number of characters."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.stream is StreamType.STDOUT:
            self.writer.write(text)
        elif self._encode is not None:
            self.writer.post(self.stream, self._encode(text))
        elif text:
            self.writer.post(self.stream, text)
        return len(text)

    def reconfigure(
        self,
        *,
        encoding: Optional[str] = None,
        errors: Optional[str] = None,
        newline: Optional[str] = None,
        line_buffering: Optional[bool] = None,
        write_through: Optional[bool] = None,
    ) -> None:
        """Change the encoding, as ``TextIOWrapper.reconfigure`` does. Other arguments have no effect here."""
        if encoding is None and errors is None:
            return
        if encoding is not None:
            codecs.lookup(encoding)  # raise now for an unknown name, not at the next print
            self.encoding = encoding.lower().replace("_", "-").replace("utf8", "utf-8")
            self.errors = "surrogatepass" if self.encoding == "utf-8" else "strict"
        self.errors = errors or self.errors
        # With another encoding, the output is bytes.
        as_made = (self.encoding, self.errors) == ("utf-8", "surrogatepass")
        encoder = codecs.getincrementalencoder(self.encoding)
        self._encode = None if as_made else encoder(self.errors).encode
        if self.stream is StreamType.STDOUT:
            self.writer.encode_by(self._encode)

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the stream's file descriptor. Raises UnsupportedOperation if it has none, as in a thread."""
        if self._descriptor is not None:
            self.writer.keep_order()  # the caller is about to write to it
            return self._descriptor
        raise io.UnsupportedOperation(
            f"{self.name} of an execution in a thread has no file descriptor; start the child process with "
            "stdout=subprocess.PIPE, or run it as a command"
        )

    def flush(self) -> None:
        """Wait until a writer that sends text to another process has sent it. This stream has no buffer."""
        self.writer.flush()

    def close(self) -> None:
        """Do nothing: all code of the process shares the standard streams."""


class LineWriter(io.TextIOBase):
    """A line-buffered stream with its own label, for the program that hosts an execution."""

    def __init__(self, writer: Writer, stream: StreamType, source: str) -> None:
        self._writer = writer
        self._stream = stream
        self._source = source
        self._lock = threading.Lock()  # guards _line, which several threads may extend
        self._line: list[str] = []

    def write(self, text: str) -> int:
        """Write text: whole lines at once, the rest when its line end arrives."""
        with self._lock:
            head, newline, tail = text.rpartition("\n")
            if newline:
                self._writer.post(self._stream, "".join((*self._line, head, newline)), self._source)
                self._line.clear()
            if tail:
                self._line.append(tail)
        return len(text)

    def writable(self) -> bool:
        """Return True."""
        return True

    def flush(self) -> None:
        """Write out an unfinished line. ``close`` does this, too."""
        with self._lock:
            if self._line:
                self._writer.post(self._stream, "".join(self._line), self._source)
                self._line.clear()


class _Forward:
    """An attribute of a proxy that is read from its target, unless it was set on the proxy."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, proxy: Optional[StreamProxy], owner: type) -> Any:
        return self if proxy is None else getattr(proxy._target(), self._name)


class StreamProxy(threading.local):
    """Takes the place of a stream in ``sys``; a thread may have its own ``write`` in it.

    A thread that runs an event loop does not: its tasks may belong to different executions.
    There is no ``__getattr__`` here, since a class that has one looks up *all* names on a slower path, and
    ``sys.stdout.write`` would take twice as long. :meth:`mirror_attributes` replaces it.
    """

    _looks_like: ClassVar[Optional[type]] = None

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class of the stream that was in ``sys``, by which libraries such as click choose colours."""
        return self._looks_like or type(self._fallbacks[-1][self._index])

    @classmethod
    def look_like(cls, other: type) -> None:
        """Appear as an instance of ``other`` instead."""
        cls._looks_like = other
        cls.__name__, cls.__qualname__, cls.__module__ = other.__name__, other.__qualname__, other.__module__

    def __init__(self, stream: StreamType, fallbacks: list[tuple[Any, Any]]) -> None:
        # Called once in each thread. `fallbacks` is shared: its last item has the two streams that were in
        # `sys` before. Code that belongs to no execution writes to them.
        self._stream = stream
        self._index = stream is StreamType.STDERR
        self._fallbacks = fallbacks

    def _target(self) -> Any:
        run = current.get()
        if run is None:
            return self._fallbacks[-1][self._index]
        return run.stderr if self._index else run.stdout

    def write(self, text: str) -> int:
        """Write text to the stream of the current execution."""
        count: int = self._target().write(text)
        return count

    def flush(self) -> None:
        """Flush the stream of the current execution."""
        self._target().flush()

    @classmethod
    def mirror_attributes(cls, stream: object) -> None:
        """Forward all attributes that ``stream`` has now, except special methods."""
        for name in dir(stream):
            if not name.startswith("__") and not hasattr(cls, name):
                setattr(cls, name, _Forward(name))

    def __iter__(self) -> Any:
        return iter(self._target())

    def __enter__(self) -> StreamProxy:
        return self

    def __exit__(self, *exc: object) -> None:
        """Do not close the stream, which all code of the process shares."""

    def __repr__(self) -> str:
        return f"<{self._stream.value} of the current execution>"

    def names(self) -> dict[str, object]:
        """Return the dict of the calling thread, whose names take precedence over the class."""
        return self.__dict__


StreamProxy.mirror_attributes(OutputStream)
StreamProxy.mirror_attributes(sys.__stdout__)
io.TextIOBase.register(StreamProxy)
