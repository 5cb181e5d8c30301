"""What user code sees as ``sys.stdout`` and ``sys.stderr``.

:class:`OutputStream` is one stream of one execution: all that programs do with a text file.
:class:`StreamProxy` stands in ``sys`` and leads each thread to the stream of its execution: a thread
that belongs to one execution has that execution's ``write`` in its own dict, the others look it up.
"""

from __future__ import annotations

import codecs
import io
import sys
import threading
from collections.abc import Iterable
from typing import Any, Callable, Optional

from ..messages import StreamType
from .context import current
from .writer import Writer

__all__ = ("OutputStream", "LineWriter", "StreamProxy")


class _Bytes(io.BufferedIOBase):
    """``sys.stdout.buffer``: bytes go unchanged, at their place among the text."""

    def __init__(self, owner: OutputStream) -> None:
        self._owner = owner

    @property
    def raw(self) -> _Bytes:  # unbuffered: it is its own raw stream
        return self

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        chunk = bytes(memoryview(data))
        if chunk:
            self._owner.writer.post(self._owner.stream, chunk)
        return len(chunk)

    def isatty(self) -> bool:
        return self._owner.isatty()

    def fileno(self) -> int:
        return self._owner.fileno()

    def close(self) -> None:
        """Closing a standard stream would take it from everybody: ignored."""


class OutputStream(io.TextIOBase):
    """One stream of one execution."""

    line_buffering = False
    write_through = False
    mode = "w"

    def __init__(self, writer: Writer, stream: StreamType, descriptor: Optional[int] = None) -> None:
        self._descriptor = descriptor
        self.writer = writer
        self.stream = stream
        self.name = f"<{stream.value}>"
        self._encoding = "utf-8"
        self._errors = "surrogatepass"
        self._encode: Optional[Callable[[str], bytes]] = None  # where it is not as above
        self._buffer = _Bytes(self)

    @property
    def buffer(self) -> _Bytes:
        return self._buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read-only, as in a TextIOWrapper
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        return self._errors

    @property
    def newlines(self) -> None:  # type: ignore[override]
        return None

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.stream is StreamType.STDOUT:
            self.writer.write(text)
        elif self._encode is not None:
            self.writer.post(self.stream, self._encode(text))
        elif text:
            self.writer.post(self.stream, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        for line in lines:
            self.write(line)

    def reconfigure(
        self,
        *,
        encoding: Optional[str] = None,
        errors: Optional[str] = None,
        newline: Optional[str] = None,
        line_buffering: Optional[bool] = None,
        write_through: Optional[bool] = None,
    ) -> None:
        """As ``TextIOWrapper.reconfigure``. Buffering has no meaning here: nothing is held back."""
        if encoding is None and errors is None:
            return
        if encoding is not None:
            codecs.lookup(encoding)  # an unknown name is an error now, not at the next print
            self._encoding = encoding.lower().replace("_", "-").replace("utf8", "utf-8")
            self._errors = "surrogatepass" if self._encoding == "utf-8" else "strict"
        self._errors = errors or self._errors
        # The user asked for other bytes on the stream, so bytes it is.
        as_made = (self._encoding, self._errors) == ("utf-8", "surrogatepass")
        encoder = codecs.getincrementalencoder(self._encoding)
        self._encode = None if as_made else encoder(self._errors).encode
        if self.stream is StreamType.STDOUT:
            self.writer.encode_by(self._encode)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        if self._descriptor is not None:
            self.writer.keep_order()  # whoever asks is about to write to it
            return self._descriptor
        raise io.UnsupportedOperation(
            f"{self.name} of an execution in a thread has no file descriptor; give a child process "
            "stdout=subprocess.PIPE, or run the command by itself"
        )

    def flush(self) -> None:
        """Nothing is held back here; where the writer has to send it elsewhere, wait for that."""
        self.writer.flush()

    def close(self) -> None:
        """Closing a standard stream would take it from everybody: ignored."""

    def detach(self) -> Any:
        raise io.UnsupportedOperation("detach")


class LineWriter(io.TextIOBase):
    """A line-buffered writer with a label of its own, for the program that hosts an execution."""

    def __init__(self, writer: Writer, stream: StreamType, source: str) -> None:
        self._writer = writer
        self._stream = stream
        self._source = source
        self._lock = threading.Lock()  # guards _line, which several threads may extend
        self._line: list[str] = []

    def write(self, text: str) -> int:
        with self._lock:
            head, newline, tail = text.rpartition("\n")
            if newline:
                self._writer.post(self._stream, "".join((*self._line, head, newline)), self._source)
                self._line.clear()
            if tail:
                self._line.append(tail)
        return len(text)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        """Send a line that is not finished."""
        with self._lock:
            if self._line:
                self._writer.post(self._stream, "".join(self._line), self._source)
                self._line.clear()

    def close(self) -> None:
        self.flush()
        super().close()


class _Forward:
    """An attribute of a proxy that is its target's. What is set on the proxy goes before it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, proxy: Optional[StreamProxy], owner: type) -> Any:
        return self if proxy is None else getattr(proxy._target(), self._name)


class StreamProxy(threading.local):
    """Stands in ``sys`` for a stream; each thread has its own ``write`` in it, or none.

    A thread that runs an event loop has none: its tasks may belong to different executions.
    There is no ``__getattr__`` here: a class that has one looks up *all* names by Python's rules of
    overriding, and ``sys.stdout.write`` takes twice the time. :meth:`stand_for` does its work.
    """

    def __init__(self, stream: StreamType, fallback: list[Any]) -> None:
        # Called once in each thread; `fallback` is shared: its last item is the stream that was
        # in `sys` before, to which code goes that belongs to no execution.
        self._stream = stream
        self._fallback = fallback

    def _target(self) -> Any:
        run = current.get()
        if run is None:
            if self._fallback:
                return self._fallback[-1]
            return sys.__stdout__ if self._stream is StreamType.STDOUT else sys.__stderr__
        return run.stdout if self._stream is StreamType.STDOUT else run.stderr

    def write(self, text: str) -> int:
        count: int = self._target().write(text)
        return count

    def flush(self) -> None:
        self._target().flush()

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def fileno(self) -> int:
        descriptor: int = self._target().fileno()
        return descriptor

    def isatty(self) -> bool:
        return bool(self._target().isatty())

    @classmethod
    def stand_for(cls, stream: object) -> None:
        """Have the attributes that ``stream`` has now, all but special methods."""
        for name in dir(stream):
            if not name.startswith("__") and not hasattr(cls, name):
                setattr(cls, name, _Forward(name))

    def __iter__(self) -> Any:
        return iter(self._target())

    def __enter__(self) -> StreamProxy:
        return self

    def __exit__(self, *exc: object) -> None:
        """Leaving does not close: the stream is everybody's."""

    def __repr__(self) -> str:
        return f"<{self._stream.value} of the execution that writes>"

    def names(self) -> dict[str, object]:
        """This thread's dict: what is in it goes before the class."""
        return self.__dict__


StreamProxy.stand_for(OutputStream)
StreamProxy.stand_for(sys.__stdout__)
io.TextIOBase.register(StreamProxy)
