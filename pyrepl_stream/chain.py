"""Messages through processors, one after the other. Whatever one of them does, the reader goes on.

Standard library only, Python 3.9 or newer, as all that the far end shares.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import sys
from collections import deque
from collections.abc import Awaitable, Iterable
from importlib import import_module
from itertools import islice
from typing import Any, Callable, Optional, Union

from .caller import Call, Caller
from .engine.loop import process_is_leaving
from .errors import UsageError
from .failures import Failures, StalledError
from .messages import CompleteMessage, ErrorMessage, LogMessage, Message
from .waiting import wait_async, wait_limited, wait_sync

__all__ = ("AnyProcessor", "Processor")

Processed = Optional[Union[Message, Iterable[Message]]]
Processor = Callable[[Message], Union[Processed, Awaitable[Processed]]]
"""From a message to a message, to several, or to None, which drops it; plain or ``async``.

It may have these attributes as well:

- ``on_error(message)`` and ``on_complete(message)``, plain or ``async``: called with the `error` and the
  `complete` of the execution; what they return comes before it.
- ``for_reader()``: what a reader works with in its place, one or a tuple of several. One that keeps a
  state returns another.
- ``close()``: called when its reader reads no more; others may go on with it.
- ``is_async``: True for one that has to be awaited and does not look so.
- ``never_waits``: True for one that always returns at once. It is called by the reader itself; another
  one by a thread, so that no reader and no event loop waits for it.
- ``stall_timeout``: after how many seconds without an answer it is given up (default 10).
"""
AnyProcessor = Union[Processor, type]
"""A processor, or a class of processors: each reader makes one of its own."""

STALL_TIMEOUT = 10.0
_CLOSING = 1.0  # seconds that the reader's end may take
_MOST_OUTPUTS = 1 << 17  # of one message: twice what lines of one character make of the largest


def is_async(processor: Processor) -> bool:
    """Whether it, or one of its hooks, has to be awaited."""
    if getattr(processor, "is_async", False):
        return True
    called = (
        getattr(processor, "func", processor),  # of a partial
        getattr(type(processor), "__call__", None),  # noqa: B004  # what it is matters, not whether
        getattr(processor, "on_error", None),
        getattr(processor, "on_complete", None),
    )
    return any(inspect.iscoroutinefunction(function) for function in called)


def with_format(format: str, processors: Iterable[AnyProcessor]) -> tuple[AnyProcessor, ...]:
    """What reads the format of the output, and ``processors`` behind it. Raises :class:`UsageError`."""
    checked = check_processors(processors)
    if format == "text":
        return checked
    if sys.version_info < (3, 11):
        raise UsageError(f"format={format!r} needs Python 3.11 or newer on this side")
    # By its name, as the far end has no processors and must not ask for them.
    readers = import_module(f"{__package__}.processors").processors_of_format(format)
    return (*readers, *checked)


def check_processors(processors: Iterable[AnyProcessor]) -> tuple[AnyProcessor, ...]:
    """Raises :class:`UsageError` for what is no list, and for what cannot be called or made."""
    if not isinstance(processors, Iterable):
        raise UsageError(f"processors is {processors!r}, but must be a list: [{processors!r}]")
    checked = tuple(processors)
    for processor in checked:
        if not callable(processor):
            raise UsageError(f"a processor is called with each message, which {processor!r} cannot be")
        if isinstance(processor, type):
            try:
                inspect.signature(processor).bind()
            except TypeError as exc:
                made = f"{processor.__name__}(...)"
                raise UsageError(f"{processor.__name__} needs arguments ({exc}): pass {made}") from None
            except ValueError:
                pass  # it does not say what it takes
    return checked


class Chain:
    """The processors of one reader, which is one thread or one task at a time.

    Each processor gets each message once. One that raises lets the message pass as it is; so does one that
    has not returned in time, and that one is not called again. Both are told by a `log` message before
    it, or handed to ``report``. What is interrupted or cancelled in a call goes on behind that call.
    `complete` always passes.
    """

    def __init__(
        self,
        processors: Iterable[AnyProcessor],
        *,
        stall_timeout: float = STALL_TIMEOUT,
        report: Optional[Callable[[LogMessage], None]] = None,
    ) -> None:
        self.ready: deque[Message] = deque()
        """Messages that have gone all the way, for the reader to take."""
        self._processors = [each for processor in processors for each in _for_reader(processor)]
        self.is_async = any(map(is_async, self._processors))
        """Whether there is one that has to be awaited."""
        self._stages = [stage for each in self._processors for stage in _stages(each, stall_timeout)]
        self._report = report
        self._work: deque[tuple[int, Message]] = deque()  # messages, and the stage that is next for each
        self._caller: Optional[Caller] = None

    @property
    def busy(self) -> bool:
        """Whether there is a message that has not gone all the way."""
        return bool(self._work)

    def add(self, messages: Iterable[Message]) -> None:
        if self._stages:
            self._work.extend((0, message) for message in messages)
        else:
            self.ready.extend(messages)

    def run(self) -> None:
        """Lead all that was added to its end."""
        while self._work:
            index, message = self._work.popleft()
            if index == len(self._stages):
                self.ready.append(message)
                continue
            self._work.appendleft((index + 1, message))  # it passes, if this is interrupted
            stage = self._stages[index]
            if stage.wants(message):
                try:
                    outputs = self._call(stage, message)
                except Exception as exc:
                    outputs = self._failed(stage, message, exc)
                self._replace(index + 1, self._completed(stage, message, outputs))

    async def run_async(self) -> None:
        """Lead the oldest message that was added to its end."""
        while self._work and not self.ready:
            index, message = self._work.popleft()
            if index == len(self._stages):
                self.ready.append(message)
                continue
            self._work.appendleft((index + 1, message))
            stage = self._stages[index]
            if stage.wants(message):
                try:
                    outputs = await self._call_async(stage, message)
                except Exception as exc:
                    outputs = self._failed(stage, message, exc)
                self._replace(index + 1, self._completed(stage, message, outputs))

    def close(self) -> None:
        """The reader reads no more. Idempotent."""
        if self._caller is not None:
            self._caller.end()
            self._caller = None
        closed, self._processors = self._processors, []
        closers = [close for each in closed if callable(close := getattr(each, "close", None))]
        if closers and process_is_leaving():
            list(map(_closed, closers))  # no thread can be started any more
        elif closers:
            caller = Caller()  # what stalls here is left to itself, too
            call = caller.start(lambda: list(map(_closed, closers)))
            wait_sync(call.when_done, _CLOSING)
            caller.end()

    def _replace(self, index: int, outputs: list[Message]) -> None:
        """Go on with what came of the message that is first in line."""
        self._work.popleft()
        self._work.extendleft((index, output) for output in reversed(outputs))

    def _failed(self, stage: _Stage, message: Message, exc: Exception) -> list[Message]:
        return [*self._tell(stage.failures.logs(exc, message)), message]

    def _completed(self, stage: _Stage, message: Message, outputs: list[Message]) -> list[Message]:
        """What goes on instead of ``message``."""
        others = [output for output in outputs if not isinstance(output, CompleteMessage)]
        if stage.hook_of is not None:
            return [*(output for output in others if output is not message), message]
        if not isinstance(message, CompleteMessage):
            return others  # there is one end, and it is not for a processor to say
        ends = [index for index, output in enumerate(outputs) if isinstance(output, CompleteMessage)]
        end = ends[0] if ends else len(others)
        # Without an end a reader would never know how it ended.
        others.insert(end, outputs[end] if ends else message)
        return [*self._tell(stage.failures.summary(message)), *others]

    def _tell(self, logs: list[LogMessage]) -> list[LogMessage]:
        if self._report is None:
            return logs
        for log in logs:
            self._report(log)
        return []

    def _call(self, stage: _Stage, message: Message) -> list[Message]:
        if stage.never_waits:
            outputs = listed(stage.function(message))
        else:
            call = self._start(stage, message)
            if not wait_sync(call.when_done, stage.limit):
                raise self._stalled(stage)
            outputs = call.result()
        if not isinstance(outputs, list):
            if inspect.iscoroutine(outputs):
                outputs.close()
            raise UsageError("an async processor needs `async for`")
        return outputs

    async def _call_async(self, stage: _Stage, message: Message) -> list[Message]:
        if stage.never_waits or stage.is_async:
            outputs = listed(stage.function(message))
        else:
            call = self._start(stage, message)
            if not await wait_async(call.when_done, stage.limit):
                raise self._stalled(stage)
            outputs = call.result()
        if isinstance(outputs, list):
            return outputs
        returned, value = await wait_limited(outputs, stage.limit)
        if not returned:
            raise self._stalled(stage)
        return list(listed(value))

    def _start(self, stage: _Stage, message: Message) -> Call:
        if self._caller is None:
            self._caller = Caller()
        return self._caller.start(lambda: listed(stage.function(message)))

    def _stalled(self, stage: _Stage) -> Exception:
        """Give up a processor, and the thread that it may hold."""
        stage.off = True
        if self._caller is not None:
            self._caller.end()
            self._caller = None
        return StalledError(f"did not return within {stage.limit:g} s and is not called any more")


def _for_reader(processor: AnyProcessor) -> tuple[Processor, ...]:
    if isinstance(processor, type):
        processor = processor()
    made = getattr(processor, "for_reader", lambda: processor)()
    return made if isinstance(made, tuple) else (made,)


def _closed(close: Callable[[], object]) -> None:
    with contextlib.suppress(BaseException):  # nobody is left to be told, and others are to be closed
        close()


def _stages(processor: Processor, stall_timeout: float) -> Iterable[_Stage]:
    # Before the processor itself, which passes the message on.
    for name, kind in (("on_error", ErrorMessage), ("on_complete", CompleteMessage)):
        hook = getattr(processor, name, None)
        if hook is not None:
            yield _Stage(processor, hook, kind, stall_timeout)
    yield _Stage(processor, processor, None, stall_timeout)


class _Stage:
    """One function of a processor, and whether it is still called."""

    def __init__(
        self, processor: Any, function: Callable[..., Any], hook_of: Optional[type], stall_timeout: float
    ) -> None:
        self.function = function
        self.never_waits = bool(getattr(processor, "never_waits", False))
        self.is_async = is_async(processor)
        limit = float(getattr(processor, "stall_timeout", stall_timeout))
        self.limit = None if math.isinf(limit) else limit
        self.off = False
        self.hook_of = hook_of
        self.failures = Failures(getattr(processor, "__qualname__", type(processor).__qualname__))

    def wants(self, message: Message) -> bool:
        return not self.off and (self.hook_of is None or isinstance(message, self.hook_of))


def listed(processed: Any) -> Any:
    """A list of messages; what has to be awaited stays as it is."""
    if isinstance(processed, Message):
        return [processed]
    if processed is None:
        return []
    if inspect.isawaitable(processed):
        return processed
    if isinstance(processed, Iterable) and not isinstance(processed, (str, bytes)):
        outputs = list(islice(processed, _MOST_OUTPUTS + 1))
    else:
        outputs = [processed]
    if len(outputs) > _MOST_OUTPUTS:
        raise ValueError(f"it made more than {_MOST_OUTPUTS:,} messages of one")
    for output in outputs:
        if not isinstance(output, Message):
            raise TypeError(f"a processor returns messages, not {type(output).__name__}")
    return outputs
