"""Event loops, each in its own daemon thread.

On a kernel's loop, nothing would run until the cell has ended. So the engine has its own loop, one per
process, and top-level ``await`` runs on another, one per session.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401 - registers its call at the exit, before the one below
import contextlib
import contextvars
import heapq
import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Callable, Optional

from ..clock import monotonic
from .context import current
from .raising import raise_in

__all__ = (
    "LoopThread",
    "UserLoop",
    "engine_loop",
    "hidden_loop",
    "process_is_leaving",
    "runs_event_loop",
    "shown_loop",
)

_BLOCKED = 0.2  # seconds without a turn after which a loop counts as blocked by one of its tasks

_shown = threading.local()  # `loop`: the loop that is shown to the thread's code
_lent = threading.local()  # `loop`: the loop that is lent to the thread's code


def runs_event_loop() -> bool:
    """Return True when the calling thread runs an event loop, which must not be blocked."""
    if asyncio._get_running_loop() is not getattr(_shown, "loop", None):
        return True
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


@contextlib.contextmanager
def shown_loop(loop: Optional[asyncio.AbstractEventLoop]) -> Iterator[None]:
    """Let the code inside the block find ``loop`` running, so that it can create tasks without ``await``."""
    before = getattr(_shown, "loop", None)
    _shown.loop = loop
    asyncio._set_running_loop(loop)
    try:
        yield
    finally:
        _shown.loop = before
        asyncio._set_running_loop(before)


def hidden_loop() -> contextlib.AbstractContextManager[None]:
    """Let a loop run inside the block, even inside a block of :func:`shown_loop`."""
    loop = getattr(_shown, "loop", None)
    is_shown = loop is not None and asyncio._get_running_loop() is loop
    return shown_loop(None) if is_shown else contextlib.nullcontext()


if sys.platform == "win32":
    _Loop = asyncio.ProactorEventLoop
else:
    _Loop = asyncio.SelectorEventLoop


class UserLoop(_Loop):
    """The loop of a session, which runs in a thread of its own.

    It can be lent to code in another thread, in which it behaves as a loop of that thread. What this code
    schedules begins when the code has ended, or runs the loop.

    Its descriptors and its thread are made when it is first used, since most code never uses it.
    """

    _is_open = True  # for copies, which are made without `__init__`

    def __init__(self, start: Callable[[], None]) -> None:
        """``start`` opens the loop and starts its thread. It is called in the engine's thread."""
        self._is_open = False
        self._start = start
        self._held: dict[int, deque[asyncio.Handle]] = {}  # what code has scheduled, by its thread
        self._stops: list[asyncio.Future[None]] = []  # one for each call of `run_forever` in such a thread
        # In the instance, since `nest_asyncio` replaces the methods of the class.
        self.run_until_complete = self._run_until_complete  # type: ignore[method-assign]
        self.run_forever = self._run_forever  # type: ignore[method-assign]

    def open(self) -> None:
        """Make everything that a loop consists of."""
        super().__init__()
        self._is_open = True

    def __getattr__(self, name: str) -> Any:
        """Start the loop when code first uses an attribute of its base class, which :meth:`open` sets."""
        if not self._is_open:
            # In the engine's thread: an interrupt must not hit it, and several threads must not do it twice.
            engine_loop().call_and_wait(self._start)
        return super().__getattribute__(name)

    def __del__(self) -> None:
        if self._is_open:
            super().__del__()

    @contextlib.contextmanager
    def lent(self, *, running: bool) -> Iterator[None]:
        """Let the code inside the block use the loop, with or without ``running`` as the loop that runs."""
        held = self._held[threading.get_ident()] = deque()
        _lent.loop = self
        asyncio.set_event_loop(self)
        try:
            with shown_loop(self) if running else contextlib.nullcontext():
                yield
        finally:
            asyncio.set_event_loop(None)
            _lent.loop = None
            del self._held[threading.get_ident()]
            with contextlib.suppress(RuntimeError):  # the session was closed
                self._begin(held)

    def _is_at_rest(self) -> bool:
        """Return True if the calling thread has borrowed the loop, and does not see it running."""
        return threading.get_ident() in self._held and asyncio._get_running_loop() is not self

    def is_running(self) -> bool:
        """See :meth:`asyncio.loop.is_running`."""
        if threading.get_ident() in self._held:
            return asyncio._get_running_loop() is self
        return super().is_running()

    def _run_until_complete(self, future: Any) -> Any:
        """Run the future in the thread of the loop, and wait for it."""
        run = current.get()
        is_nested = hasattr(asyncio, "_nest_patched") and threading.get_ident() in self._held
        if run is None or not (is_nested or self._is_at_rest()):
            return type(self).run_until_complete(self, future)
        if asyncio._get_running_loop() not in (None, self):
            raise RuntimeError("Cannot run the event loop while another loop is running")
        task = asyncio.ensure_future(future, loop=self)
        try:
            news = threading.Lock()  # released when the task has ended
            news.acquire()
            task.add_done_callback(lambda _: news.release())
            self._begin(self._held[threading.get_ident()])
            run.questions.wait(task.done, news)
        except BaseException:
            self._cancel_or_interrupt(task)
            raise
        return task.result()

    def _cancel_or_interrupt(self, task: asyncio.Future[Any]) -> None:
        """Cancel a task; interrupt the thread of the loop only if the task blocks it.

        An exception that is raised in the loop's own code can lose a callback, and with it a task.
        """
        reached = threading.Lock()
        reached.acquire()
        self.call_soon_threadsafe(reached.release)
        self.call_soon_threadsafe(task.cancel)
        if not reached.acquire(timeout=_BLOCKED) and asyncio.current_task(self) is task:
            raise_in(self._thread_id, KeyboardInterrupt)  # of BaseEventLoop

    def _run_forever(self) -> None:
        """Let the code wait until something stops the loop."""
        if not self._is_at_rest():
            type(self).run_forever(self)
            return
        stopped = self.create_future()
        self._stops.append(stopped)
        try:
            self.run_until_complete(stopped)
        except asyncio.CancelledError:
            pass
        finally:
            self._stops[:] = [stop for stop in self._stops if stop is not stopped]

    def stop(self) -> None:
        """See :meth:`asyncio.loop.stop`. The thread of the loop runs it again."""
        for stop in list(self._stops):
            self.call_soon_threadsafe(stop.cancel)
        super().stop()

    def close(self) -> None:
        """Close the loop, unless it is only borrowed: other code still uses it."""
        if not self._is_at_rest():
            super().close()

    def call_soon(  # type: ignore[override]  # typeshed's has a TypeVarTuple, which Python 3.9 lacks
        self, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        """See :meth:`asyncio.loop.call_soon`."""
        held = self._held.get(threading.get_ident())
        if held is None:
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(callback, args, self, context)
        held.append(handle)
        return handle

    def call_at(  # type: ignore[override]  # as above
        self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """See :meth:`asyncio.loop.call_at`."""
        held = self._held.get(threading.get_ident())
        if held is None:
            return super().call_at(when, callback, *args, context=context)
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        held.append(timer)
        return timer

    def _begin(self, held: deque[asyncio.Handle]) -> None:
        if held:
            self.call_soon_threadsafe(self._schedule, held)

    def _schedule(self, held: deque[asyncio.Handle]) -> None:
        # Emptied here: an interrupt of the thread that calls `_begin` could lead to a second call.
        while held:
            handle = held.popleft()
            if isinstance(handle, asyncio.TimerHandle):
                heapq.heappush(self._scheduled, handle)
                handle._scheduled = True  # type: ignore[attr-defined]
            else:
                self._ready.append(handle)


def _is_default_kind() -> bool:
    """Return True unless loops are of another kind, such as uvloop, and cannot be lent to code."""
    try:
        loop = asyncio.new_event_loop()
    except OSError:  # no file descriptor is left: code that uses the loop will find that
        return True
    loop.close()
    return type(loop) is _Loop


class LoopThread:
    """A thread that runs an event loop from :meth:`start` until :meth:`stop`."""

    loop: asyncio.AbstractEventLoop  # set by `start`

    def __init__(self, name: str, *, lendable: bool = False) -> None:
        """``lendable`` asks for a loop that can be lent to code, unless loops are of another kind."""
        self.lendable = UserLoop(self.start) if lendable and _is_default_kind() else None
        """The loop, open or not; None if it cannot be lent to code."""
        self.on_failure: Callable[[BaseException], object] = lambda exc: None
        """Called in the thread with the exception when the loop itself fails."""
        self.stopping = False
        """:meth:`stop` was called; the thread may still run code that blocks it."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Open the loop and start its thread, unless that was done. Not thread-safe.

        Raises:
            OSError: No file descriptor is left.
            RuntimeError: The system starts no further thread.
        """
        if self._thread.ident is not None:
            return
        try:
            self._start()
        except BaseException:
            self.stopping = True  # a loop that is made in part is of no more use
            raise

    def _start(self) -> None:
        if self.lendable is None:
            self.loop = asyncio.new_event_loop()
        else:
            self.loop = self.lendable
            self.lendable.open()
        self.loop.time = monotonic  # type: ignore[method-assign]
        # The threads of user code share the GIL, so a callback that takes long need not be slow itself.
        self.loop.slow_callback_duration = float("inf")
        if self.stopping:
            self.loop.close()
            return
        _running.append(self)
        # An empty context: the loop belongs to no execution, even if one of them starts it.
        try:
            contextvars.Context().run(self._thread.start)
        except BaseException:
            _running.remove(self)
            self.loop.close()
            raise

    @property
    def ident(self) -> int:
        """The identifier of the thread."""
        assert self._thread.ident is not None
        return self._thread.ident

    def call(self, function: Callable[..., Any], *args: Any) -> bool:
        """Schedule a call on the loop; return False if it is closed. May be called from any thread."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # closed, at the end of the process
            return False
        return True

    def call_and_wait(self, function: Callable[[], None]) -> None:
        """Call ``function`` in the loop's thread, and wait for it. Raise the exception that it raises."""
        if threading.current_thread() is self._thread:
            function()
            return
        failures: list[BaseException] = []
        done = threading.Lock()  # an interrupt cannot leave a plain lock in an invalid state

        def call() -> None:
            try:
                function()
            except BaseException as exc:
                failures.append(exc)
            finally:
                done.release()

        done.acquire()
        if self.call(call):
            done.acquire()
        for exc in failures:
            raise exc

    def is_idle(self) -> bool:
        """Return True if the loop has no tasks and no timers. Its own thread may change that at any time."""
        if self.stopping or not self._thread.is_alive():
            return True
        timers = getattr(self.loop, "_scheduled", ())  # private; not every loop has it
        return not asyncio.all_tasks(self.loop) and not timers

    def stop(self, timeout: float = 0.0) -> None:
        """Stop the loop. Wait at most ``timeout`` seconds for its thread, since user code may block it."""
        if self.stopping:
            return
        self.stopping = True
        is_running = self._thread.is_alive() and self.call(self.loop.stop)
        if is_running and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self.stopping:
                try:
                    self.loop.run_forever()
                except (KeyboardInterrupt, SystemExit):
                    continue  # meant for a task that had just ended: the loop continues
            self._cancel_all()
        except BaseException as exc:  # for example, user code has closed the loop's descriptors
            self.on_failure(exc)
            raise
        finally:
            self.loop.close()
            _running.remove(self)

    def _cancel_all(self) -> None:
        """Cancel all tasks and wait for them, as ``asyncio.run`` does, so that each runs its ``finally``."""
        try:
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        except (KeyboardInterrupt, SystemExit):
            pass  # user code ended its own clean-up


_running: list[LoopThread] = []
_engine: Optional[LoopThread] = None
_engine_lock = threading.Lock()  # guards _engine, so that simultaneous first calls share one loop


def engine_loop() -> LoopThread:
    """Return the one engine loop of the process. It starts on first use and ends with the process."""
    global _engine
    with _engine_lock:
        if _engine is None:
            _engine = LoopThread("pyrepl-stream engine")
            _engine.start()
        return _engine


def _stop_all() -> None:
    for thread in list(_running):
        thread.stop(0.2)


def _forget() -> None:
    """Forget the loops in a forked child, which does not have their threads."""
    global _engine, _engine_lock
    _engine = None
    _engine_lock = threading.Lock()
    _running.clear()
    if getattr(_lent, "loop", None) is not None:
        _shown.loop = None
        asyncio._set_running_loop(None)
        asyncio.set_event_loop(asyncio.new_event_loop())


_leaving = threading.Event()
process_is_leaving = _leaving.is_set
"""Return True when the process is about to end, and no thread may wait any more."""

atexit.register(_stop_all)
# Called before `concurrent.futures` joins its workers, which may wait for a reader. `atexit` is too late.
threading._register_atexit(_leaving.set)  # type: ignore[attr-defined]  # private; exists since Python 3.9
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
