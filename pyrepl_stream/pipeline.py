"""Pipelines: processors that messages pass in order. An error in one of them never stops the reader."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
from typing import Any

from .executor import Executor, call_in_thread
from .processor_errors import Failures, StalledError
from .runtime.engine.loop import process_is_leaving
from .runtime.errors import UsageError
from .runtime.messages import CompleteMessage, ErrorMessage, LogMessage, Message
from .waiting import wait_async, wait_limited, wait_sync

__all__ = ("AnyProcessor", "Processor")

Processed = Message | Iterable[Message] | None
Processor = Callable[[Message], Processed | Awaitable[Processed]]
"""A callable, plain or ``async``, that takes a message and returns one, several, or None to drop it.

It may also have these attributes:

- ``on_error(message)`` and ``on_complete(message)``, plain or ``async``: called with the `error` and the
  `complete` message of the execution. The messages that they return are put before that message.
- ``for_reader()``: returns the processor, or a tuple of processors, for one reader. A processor with state
  returns a new instance.
- ``close()``: called when the reader stops reading.
- ``is_async``: True if calls must be awaited and inspection cannot detect it.
- ``never_waits``: True if calls return immediately. The reader calls such a processor itself, and other
  processors in a thread, so that neither the reader nor its event loop waits for them.
- ``stall_timeout``: the seconds after which a call that has not returned is abandoned (default 10).
"""
AnyProcessor = Processor | type
"""A processor, or a class that each reader instantiates."""

STALL_TIMEOUT = 10.0
_CLOSING = 1.0  # seconds that closing all processors may take
_MOST_OUTPUTS = 1 << 17  # for one message: twice as many as the largest message has one-character lines


def is_async(processor: Processor) -> bool:
    """Return True if calls of the processor, or of one of its hooks, must be awaited."""
    if getattr(processor, "is_async", False):
        return True
    called = (
        getattr(processor, "func", processor),  # the function of a partial
        getattr(type(processor), "__call__", None),  # noqa: B004  # the function itself is inspected
        getattr(processor, "on_error", None),
        getattr(processor, "on_complete", None),
    )
    return any(inspect.iscoroutinefunction(function) for function in called)


def check_processors(processors: Iterable[AnyProcessor]) -> tuple[AnyProcessor, ...]:
    """Return the processors as a tuple. Raises :class:`UsageError` if one cannot be called or created."""
    if not isinstance(processors, Iterable):
        raise UsageError(f"processors must be a list: use [{processors!r}]")
    checked = tuple(processors)
    for processor in checked:
        if not callable(processor):
            raise UsageError(f"a processor must be callable, and {processor!r} is not")
        if isinstance(processor, type):
            try:
                inspect.signature(processor).bind()
            except TypeError as exc:
                made = f"{processor.__name__}(...)"
                raise UsageError(f"{processor.__name__} needs arguments ({exc}): use {made}") from None
            except ValueError:
                pass  # it has no signature
    return checked


class Pipeline:
    """The processors of one reader. One thread or task uses it at a time.

    Each processor gets each message once. If it raises an error, the message passes unchanged. If it does not
    return in time, the message passes unchanged and the processor is not called again. A reader that is
    interrupted or cancelled during a call continues after that call. `complete` always passes.

    Args:
        processors: The processors, in order.
        stall_timeout: Seconds that a call may take, unless the processor has its own limit.
        report: Called with the `log` messages about failures; None puts them before the message at which
            the processor failed.
    """

    def __init__(
        self,
        processors: Iterable[AnyProcessor],
        *,
        stall_timeout: float = STALL_TIMEOUT,
        report: Callable[[LogMessage], None] | None = None,
    ) -> None:
        self.ready: deque[Message] = deque()
        """Messages that have passed all processors."""
        self._processors = [each for processor in processors for each in _for_reader(processor)]
        self.is_async = any(map(is_async, self._processors))
        """True if there is a processor whose calls must be awaited."""
        self._stages = [stage for each in self._processors for stage in _stages(each, stall_timeout)]
        self._report = report
        self._work: deque[tuple[int, Message]] = deque()  # messages, each with the index of its next stage
        self._executor = Executor("processors")  # it has no thread before its first call

    @property
    def busy(self) -> bool:
        """True while there is a message that has not passed all processors."""
        return bool(self._work)

    def add(self, messages: Iterable[Message]) -> None:
        """Add messages. They pass the processors in :meth:`run` or :meth:`run_async`."""
        if self._stages:
            self._work.extend((0, message) for message in messages)
        else:
            self.ready.extend(messages)

    def run(self) -> None:
        """Pass all messages through the processors."""
        with contextlib.suppress(StopIteration):
            self._advance(blocking=True).send(None)  # runs to its end, since it never suspends

    async def run_async(self) -> None:
        """Pass messages through the processors until one is ready."""
        await self._advance(blocking=False)

    async def _advance(self, *, blocking: bool) -> None:
        """Implement :meth:`run` if ``blocking``, without ever suspending, and otherwise :meth:`run_async`."""
        while self._work and (blocking or not self.ready):
            index, message = self._work.popleft()
            if index == len(self._stages):
                self.ready.append(message)
                continue
            self._work.appendleft((index + 1, message))  # if this is interrupted, the message passes
            stage = self._stages[index]
            if not stage.wants(message):
                continue
            try:
                outputs = await self._call(stage, message, blocking)
            except Exception as exc:
                outputs = [*self._report_or_insert(stage.failures.logs(exc, message)), message]
            outputs = self._completed(stage, message, outputs)
            self._work.popleft()
            self._work.extendleft((index + 1, output) for output in reversed(outputs))

    def close(self) -> None:
        """Close the processors: their reader has stopped. Idempotent."""
        self._executor.close()
        closed, self._processors = self._processors, []
        closers = [close for each in closed if callable(close := getattr(each, "close", None))]

        def close_all() -> None:
            for close in closers:
                with contextlib.suppress(BaseException):  # the reader has gone; the others must be closed too
                    close()

        if process_is_leaving():
            close_all()  # threads can no longer be started
        elif closers:
            # A processor that stalls while it is closed is abandoned, too.
            wait_sync(call_in_thread("closing processors", close_all).when_done, _CLOSING)

    def _completed(self, stage: _Stage, message: Message, outputs: list[Message]) -> list[Message]:
        """Return the messages that continue in place of ``message``."""
        others = [output for output in outputs if not isinstance(output, CompleteMessage)]
        if stage.hook_of is not None:
            return [*(output for output in others if output is not message), message]
        if not isinstance(message, CompleteMessage):
            return others  # a processor cannot add a `complete`
        ends = [index for index, output in enumerate(outputs) if isinstance(output, CompleteMessage)]
        end = ends[0] if ends else len(others)
        # A processor cannot drop `complete` either.
        others.insert(end, outputs[end] if ends else message)
        return [*self._report_or_insert(stage.failures.summary(message)), *others]

    def _report_or_insert(self, logs: list[LogMessage]) -> list[LogMessage]:
        if self._report is None:
            return logs
        for log in logs:
            self._report(log)
        return []

    async def _call(self, stage: _Stage, message: Message, blocking: bool) -> list[Message]:
        if stage.never_waits or (stage.is_async and not blocking):
            returned, outputs = True, listed(stage.function(message))
        else:
            call = self._executor.submit(lambda: listed(stage.function(message)))
            if blocking:
                returned = wait_sync(call.when_done, stage.limit)
            else:
                returned = await wait_async(call.when_done, stage.limit)
            outputs = call.result() if returned else []
        if not isinstance(outputs, list):
            if blocking:
                if inspect.iscoroutine(outputs):
                    outputs.close()
                raise UsageError("an async processor needs `async for`")
            returned, value = await wait_limited(outputs, stage.limit)
            outputs = list(listed(value))
        if not returned:
            stage.off = True
            self._executor.close()  # the processor may be running in its thread
            self._executor = Executor("processors")
            raise StalledError(f"did not return within {stage.limit:g} s and is not called again")
        return outputs


def _for_reader(processor: AnyProcessor) -> tuple[Processor, ...]:
    if isinstance(processor, type):
        processor = processor()
    made = getattr(processor, "for_reader", lambda: processor)()
    return made if isinstance(made, tuple) else (made,)


def _stages(processor: Processor, stall_timeout: float) -> Iterable[_Stage]:
    # Hooks come before the processor itself, which passes the message on.
    for name, kind in (("on_error", ErrorMessage), ("on_complete", CompleteMessage)):
        hook = getattr(processor, name, None)
        if hook is not None:
            yield _Stage(processor, hook, kind, stall_timeout)
    yield _Stage(processor, processor, None, stall_timeout)


class _Stage:
    """One function of a processor: the processor itself or one of its hooks."""

    def __init__(
        self, processor: Any, function: Callable[..., Any], hook_of: type | None, stall_timeout: float
    ) -> None:
        self.function = function
        self.never_waits = bool(getattr(processor, "never_waits", False))
        self.is_async = is_async(processor)
        limit = float(getattr(processor, "stall_timeout", stall_timeout))
        self.limit = None if math.isinf(limit) else limit
        self.off = False  # True once it was abandoned
        self.hook_of = hook_of
        self.failures = Failures(getattr(processor, "__qualname__", type(processor).__qualname__))

    def wants(self, message: Message) -> bool:
        return not self.off and (self.hook_of is None or isinstance(message, self.hook_of))


def listed(processed: Any) -> Any:
    """Return a list of the messages; an awaitable is returned unchanged."""
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
        raise ValueError(f"the processor returned more than {_MOST_OUTPUTS:,} messages for one")
    for output in outputs:
        if not isinstance(output, Message):
            raise TypeError(f"a processor must return messages, not {type(output).__name__}")
    return outputs
