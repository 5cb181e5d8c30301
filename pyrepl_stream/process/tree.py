"""All processes of a run: what a command started, and what of it left its group and session.

On Linux a process belongs to the run when it descends from the command, is of its session or group,
or has the run's mark in its environment, which survives ``setsid``, a double fork and the death of
every parent. Once seen, a process is remembered, and with it what descends from it. A process that
was never seen, cleared its environment, left the session *and* lost its parents is beyond reach,
unless :func:`adopt_orphans` was called. Elsewhere the descendants and the group are all there is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Container, Iterator
from typing import NamedTuple, Optional

__all__ = ("MARK", "Tree", "adopt_orphans", "marked", "marked_processes", "reap_adopted")

MARK = "PYREPL_STREAM_RUN"
"""The environment variable that every process of a run inherits: marks of runs, with ``:`` between."""


def marked(environment: dict[str, str], mark: str) -> dict[str, str]:
    """``environment`` with a mark more."""
    return {**environment, MARK: f"{environment[MARK]}:{mark}" if MARK in environment else mark}

_UNSURE = 0.5  # seconds that are spent at most while one may have been missed
_KERNEL = 2  # the parent of the kernel's own threads, which have no environment
_LOOKS = 5  # that find nobody, where the last one found somebody, until nobody is believed to be there
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class _Process(NamedTuple):
    pid: int
    parent: int
    group: int
    session: int
    dead: bool  # a zombie: it has ended, and only its parent has not looked
    started: int  # when, in some unit: tells apart two processes that had the same pid
    ticks: int  # of CPU time


class Tree:
    """The processes of the run whose command is ``root``; ``mark`` is the value of :data:`MARK`."""

    def __init__(self, root: int, mark: str) -> None:
        self.root = root
        self._mark = mark.encode()
        self._found = True  # the last look found some
        self._unsure = False  # one may have been missed: it ended, or began a program, during the look
        first = None
        with contextlib.suppress(OSError):  # no descriptor is left: the command runs, and is to be ended
            first = _from_proc(root)
        self._since = 0 if first is None else first.started
        self._known: dict[int, int] = {}  # when each process that was seen began
        self._unmarked: dict[int, int] = {}  # so that each environment is read once

    def pids(self) -> list[int]:
        """Those that live, children before their parents."""
        try:
            return [process.pid for process in self._look()]
        except OSError:
            return []

    def _look(self, strangers: Optional[set[int]] = None) -> list[_Process]:
        """Those that live. ``strangers`` are not looked at, and those that are found are added."""
        strangers = set() if strangers is None else strangers
        looks, deadline = 0, time.monotonic() + _UNSURE
        while not (processes := self._living(strangers)) and self._found:
            # One that forks and ends all the time can be missed: a look takes a moment. And one in the
            # middle of an exec cannot be told from others, for as long as that takes.
            looks += 1
            if looks > _LOOKS and not (self._unsure and time.monotonic() < deadline):
                break
        self._found = bool(processes)
        return processes

    def _send(self, number: int, strangers: Optional[set[int]] = None) -> list[int]:
        """Signal all, as a terminal does: the command's group at once, then who left it, parents first.

        A child that is signalled long before its parent lets the parent go on with what comes next.
        """
        blind, processes = False, []
        try:
            processes = self._look(strangers)
        except OSError:  # no descriptor is left to look with: the group is what can be reached
            blind = True
        if blind or any(process.group == self.root for process in processes):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.root, number)
        for process in reversed(processes):
            if process.group != self.root or number == signal.SIGKILL:  # it may have left just now
                # It may have ended meanwhile, or have changed its user (sudo).
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process.pid, number)
        return [process.pid for process in processes]

    def signal(self, number: int) -> int:
        """Signal all; how many there were. SIGKILL is repeated until no new one is found."""
        if sys.platform == "win32":
            return _end_windows_tree(self.root)
        found = self._send(number)
        if number == signal.SIGKILL:
            self._kill_new(set(found))
        elif found and number in (signal.SIGTERM, signal.SIGHUP):
            self._send(signal.SIGCONT)  # one that is stopped would not hear it
        return len(found)

    def _kill_new(self, signalled: set[int]) -> None:
        """Kill those that were not there when others were signalled, until there is no new one.

        One that forks and ends all the time is gone when a look at all processes is over: so in between
        only those are looked at that were not there before.
        """
        while new := set(self.pids()) - signalled:
            strangers: set[int] = set()
            while new:
                signalled |= new
                new = set(self._send(signal.SIGKILL, strangers)) - signalled

    def cpu_seconds(self) -> float:
        """CPU time that the living have used, with that of their children that have ended."""
        return sum(_cpu_seconds(process) for process in self._living(set()))

    def awaits_input(self, terminal: str, *, prompted: bool) -> bool:
        """Whether one of them waits for input of ``terminal`` (Linux; False where it cannot be seen).

        One that waits for several things at once, as libraries that edit lines do, counts when it has
        ``prompted``: written a line without an end.
        """
        return any(_reads(process.pid, terminal, prompted) for process in self._living(set()))

    def _living(self, strangers: set[int]) -> list[_Process]:
        processes, self._unsure = _all_processes(strangers)
        children: dict[int, list[_Process]] = {}
        for process in processes.values():
            children.setdefault(process.parent, []).append(process)
        members: dict[int, _Process] = {}

        def add(process: _Process) -> None:  # depth first: the order is that of ending them
            ourselves = process.pid == os.getpid()
            if process.pid in members or (ourselves and process.pid != self.root):
                return
            if not ourselves:
                members[process.pid] = process
            for child in children.get(process.pid, ()):
                add(child)

        for _, process in sorted(processes.items()):
            if self._belongs(process):
                add(process)
        strangers |= {pid for pid in processes if pid not in members and pid in self._unmarked}
        self._known = {process.pid: process.started for process in members.values()}
        return [process for process in reversed(list(members.values())) if not process.dead]

    def _belongs(self, process: _Process) -> bool:
        if self._known.get(process.pid) == process.started:
            return True
        if self.root in (process.pid, process.session, process.group):
            return True
        if _adopting and process.parent == os.getpid():
            return True
        if self._unmarked.get(process.pid) == process.started:
            return False
        marks = _marks_of(process.pid)
        if self._mark in (marks or ()):
            return True
        if marks is not None or process.parent == _KERNEL:
            self._unmarked[process.pid] = process.started
        elif not process.dead and process.started >= self._since:
            self._unsure = True
        return False


_adopting = False


def adopt_orphans() -> bool:
    """Have processes whose parents died become this process's own (Linux): none can get away.

    For a process that does nothing but run one command at a time: every child that it has is the
    command's, and is reaped here. False where it cannot be had.
    """
    global _adopting
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    set_child_subreaper = 36  # prctl(2)
    try:
        _adopting = ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0) == 0
    except (OSError, AttributeError):
        _adopting = False
    return _adopting


def marked_processes() -> Iterator[tuple[int, int, int, list[bytes]]]:
    """Each process that lives: its pid, its parent's, when it began, and its marks. Raises OSError."""
    for process in _all_processes()[0].values():
        if not process.dead:
            yield process.pid, process.parent, process.started, _marks_of(process.pid) or []


def reap_adopted(root: int) -> bool:
    """Reap orphans that have ended, all but ``root``; whether there may be any, now or later."""
    while _adopting:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            break
        if ended is None or ended.si_pid == root:
            break
        os.waitpid(ended.si_pid, os.WNOHANG)
    return _adopting


def _all_processes(but: Container[int] = ()) -> tuple[dict[int, _Process], bool]:
    """All that there are, and whether one of them ended during the look (and may have left another).

    ``but`` are left out, where that saves time.
    """
    if not os.path.exists("/proc/self/stat"):
        return (_from_ps() if sys.platform != "win32" else {}), False
    # The newest first: they are the ones that may be gone in a moment.
    pids = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)
    found = [_from_proc(pid) for pid in pids if pid not in but]
    return {process.pid: process for process in found if process is not None}, None in found


def _from_proc(pid: int) -> Optional[_Process]:
    """See ``proc_pid_stat(5)``. The name, in brackets, may hold anything, brackets too."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            text = file.read().decode("ascii", "replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    state, parent, group, session = fields[0], fields[1], fields[2], fields[3]
    ticks = sum(map(int, fields[11:15]))
    return _Process(pid, int(parent), int(group), int(session), state in "ZX", int(fields[19]), ticks)


def _from_ps() -> dict[int, _Process]:
    """BSD and macOS: ``ps`` knows neither environments nor, on macOS, sessions."""
    columns = "pid=,ppid=,pgid=,stat=,time=,lstart="
    listing = subprocess.run(["ps", "-A", "-o", columns], capture_output=True, text=True, check=False)
    processes = {}
    for line in listing.stdout.splitlines():
        pid, parent, group, state, time, started = line.split(None, 5)
        process = _Process(
            int(pid), int(parent), int(group), 0, state[0] == "Z", hash(started), int(_seconds(time) * _TICKS)
        )
        processes[process.pid] = process
    return processes


def _seconds(text: str) -> float:
    """``[[days-]hours:]minutes:seconds[.part]``, as ``ps`` prints CPU time."""
    days, _, time = text.rpartition("-")
    total = 0.0
    for part in time.split(":"):
        total = total * 60 + float(part)
    return total + 86400 * int(days or 0)


def _marks_of(pid: int) -> Optional[list[bytes]]:
    """The marks of all runs that the process belongs to: a run may be started in another one.

    None when it has no environment, as in the middle of an exec.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read()
    except OSError:  # another user's, or gone
        return []
    for variable in environment.split(b"\0"):
        name, _, value = variable.partition(b"=")
        if name == MARK.encode():
            return value.split(b":")
    return [] if environment else None


def _cpu_seconds(process: _Process) -> float:
    """In ticks of 10 ms; for the first thread, where the kernel counts them, in nanoseconds."""
    try:
        with open(f"/proc/{process.pid}/schedstat", "rb") as file:
            fine = int(file.read().split()[0]) / 1e9
    except (OSError, IndexError, ValueError):
        fine = 0.0
    return max(fine, process.ticks / _TICKS)


def _reads(pid: int, terminal: str, prompted: bool) -> bool:
    """See ``proc_pid_syscall(5)``: the number of the system call, and its first argument."""
    read, selects = _CALLS.get(os.uname().machine, (b"", ()))
    try:
        with open(f"/proc/{pid}/syscall", "rb") as file:
            words = file.read().split()
        if len(words) < 2 or not (words[0] == read or (prompted and words[0] in selects)):
            return False
        descriptor = int(words[1], 16) if words[0] == read else 0
        return os.readlink(f"/proc/{pid}/fd/{descriptor}") in (terminal, "/dev/tty")
    except (OSError, ValueError):
        return False


_CALLS = {  # of Linux: `read`; `select` and `pselect6`
    "x86_64": (b"0", (b"23", b"270")),
    "aarch64": (b"63", (b"72",)),
}


def _end_windows_tree(root: int) -> int:
    ended = subprocess.run(["taskkill", "/T", "/F", "/PID", str(root)], capture_output=True, check=False)
    return int(ended.returncode == 0)
