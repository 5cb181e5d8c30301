"""The processes of a run: all that its command started, including those that left its group and session.

On Linux a process belongs to the run if it descends from the command, is in its session or group, or has
the run's mark in its environment. The mark survives ``setsid``, a double fork and the death of every parent.
A process that has been found once is remembered, and its descendants are found through it. A process
that was never found, cleared its environment, left the session *and* lost its parents is out of reach,
unless :func:`adopt_orphans` was called. On other systems only the descendants and the group are found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Callable, NamedTuple, Optional

from .. import clock
from .windows import kill_tree

MARK = "PYREPL_STREAM_RUN"
"""The environment variable that all processes of a run inherit: marks of runs, separated by ``:``."""

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
"""The signal that cannot be ignored. (Windows has no signals; there, any number ends the processes.)"""

_MAX_UNSURE = 0.5  # seconds for which to look again while a process may have been missed
_KERNEL = 2  # pid of the parent of the kernel's own threads, which have no environment
_MAX_LOOKS = 5  # consecutive looks without a process before the tree counts as empty
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def marked(environment: dict[str, str], mark: str) -> dict[str, str]:
    """Return ``environment`` with one more mark."""
    return {**environment, MARK: f"{environment[MARK]}:{mark}" if MARK in environment else mark}


class _Process(NamedTuple):
    pid: int
    parent: int
    group: int
    session: int
    dead: bool  # a zombie: it has ended, and its parent has not reaped it
    started: int  # start time in some unit: distinguishes two processes that had the same pid
    ticks: int  # CPU time used, in clock ticks


class Tree:
    """The processes of one run.

    Args:
        root: The pid of the run's command, which leads its own session.
        mark: The run's mark, in the variable :data:`MARK`.
    """

    def __init__(self, root: int, mark: str) -> None:
        self.root = root
        self._roots = {root}
        self._marks = {mark.encode()}
        self._found = True  # the last look found processes
        self._unsure = False  # a process may have been missed: it ended, or was in an exec, during the look
        first = None
        with contextlib.suppress(OSError):  # no descriptor is left: the command can be ended without this
            first = _from_proc(root)
        self._since = 0 if first is None else first.started
        self._known: dict[int, int] = {}  # start time of each process of the run that was found, by pid
        self._unmarked: dict[int, int] = {}  # start time of each process that has no mark, by pid

    @classmethod
    def union(cls, trees: Sequence[Tree]) -> Tree:
        """Return one tree for the processes of several runs, so that a single look finds them all.

        The given trees may be in use by other threads, and are not changed.
        """
        union = cls(trees[0].root, "")
        union._roots = {root for tree in trees for root in tree._roots}
        union._marks = {mark for tree in trees for mark in tree._marks}
        union._since = min(tree._since for tree in trees)
        for tree in trees:
            union._known.update(tree._known)
        return union

    def pids(self) -> list[int]:
        """Return the pids of the living processes, children before their parents."""
        try:
            return [process.pid for process in self._look(set())]
        except OSError:
            return []

    def _look(self, others: set[int]) -> list[_Process]:
        """Return the living processes.

        Args:
            others: Pids of processes that do not belong to the run, and are skipped. Pids of further such
                processes are added.
        """
        looks, deadline = 0, clock.monotonic() + _MAX_UNSURE
        while not (processes := self._living(others)) and self._found:
            # A look takes time, so a process that keeps forking and exiting can be missed. And a process
            # in the middle of an exec cannot be recognized until the exec is complete.
            looks += 1
            if looks > _MAX_LOOKS and not (self._unsure and clock.monotonic() < deadline):
                break
        self._found = bool(processes)
        return processes

    def signal(self, number: int) -> None:
        """Signal all processes; SIGKILL is repeated until no new process is found."""
        if sys.platform == "win32":
            for root in self._roots:
                kill_tree(root)
        elif number == signal.SIGKILL:
            self._kill()
        else:
            # The first look takes several milliseconds. Those that follow it look only at new processes: one
            # that was started meanwhile must be found while its parent lives, or it may be lost.
            others: set[int] = set()
            self._signal_found(0, others)  # signal 0 has no effect
            self._signal_found(number, others)
            # A stopped process acts on these two signals when it continues.
            self._signal_found(signal.SIGCONT if number in (signal.SIGTERM, signal.SIGHUP) else 0, others)

    def _kill(self) -> None:
        killed: set[int] = set()
        others: set[int] = set()
        with contextlib.suppress(OSError):
            # While the command's group is stopped, it starts no process that the next look could miss. Other
            # groups are not stopped: when their parents die, the system would send them SIGHUP and SIGCONT.
            groups = {process.group for process in self._look(others)}
            self._signal_groups(self._roots & groups, signal.SIGSTOP)
        while True:
            # A process that keeps forking and exiting is gone before a look at all processes is over: look
            # only at new processes, and look at all of them again if there is no process of ours among them.
            found = self._signal_found(signal.SIGKILL, others)
            if found <= killed:
                others.clear()
                found = self._signal_found(signal.SIGKILL, others)
            if found <= killed:
                return
            killed |= found

    def _signal_found(self, number: int, others: set[int]) -> set[int]:
        """Look for processes, signal them, and return their pids.

        If no descriptor is left to look with, signal the command groups.
        """
        try:
            processes = self._look(others)
        except OSError:
            self._signal_groups(self._roots, number)
            return set()
        self._send(number, processes)
        return {process.pid for process in processes}

    def _signal_groups(self, groups: Iterable[int], number: int) -> None:
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    def _send(self, number: int, processes: list[_Process]) -> None:
        """Signal each command's group at once, as a terminal does, then the other processes, parents first.

        If a child were signalled long before its parent, the parent would continue with its next step.
        """
        self._signal_groups(self._roots.intersection(process.group for process in processes), number)
        for process in reversed(processes):
            # With SIGKILL, also signal members of the groups: a process may just have left its group.
            if process.group not in self._roots or number == signal.SIGKILL:
                _send_to(process.pid, number)

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of the living processes and of their children that have ended."""
        return sum(_cpu_seconds(process) for process in self._living(set()))

    def awaits_input(self, terminal: str, *, prompted: bool) -> bool:
        """Return True if a process waits for input from a terminal (Linux; False on other systems).

        Args:
            terminal: The path of the terminal.
            prompted: Whether the last line of output has no line end. If so, a process that waits for
                several descriptors at once, as line-editing libraries do, counts too.
        """
        return any(_reads(process.pid, terminal, prompted) for process in self._living(set()))

    def _living(self, others: set[int]) -> list[_Process]:
        processes, self._unsure = _all_processes(others)
        children: dict[int, list[_Process]] = {}
        for process in processes.values():
            children.setdefault(process.parent, []).append(process)
        members: dict[int, _Process] = {}

        def add(process: _Process) -> None:  # depth first: the order of signalling
            ourselves = process.pid == os.getpid()
            if process.pid in members or (ourselves and process.pid not in self._roots):
                return
            if not ourselves:
                members[process.pid] = process
            for child in children.get(process.pid, ()):
                add(child)

        for _, process in sorted(processes.items()):
            if self._belongs(process):
                add(process)
        others |= {pid for pid in processes if pid not in members and pid in self._unmarked}
        self._known = {process.pid: process.started for process in members.values()}
        return [process for process in reversed(list(members.values())) if not process.dead]

    def _belongs(self, process: _Process) -> bool:
        if self._known.get(process.pid) == process.started:
            return True
        if not self._roots.isdisjoint((process.pid, process.session, process.group)):
            return True
        if _adopting and process.parent == os.getpid():
            return True
        if self._unmarked.get(process.pid) == process.started:
            return False
        marks = _marks_of(process.pid)
        if not self._marks.isdisjoint(marks or ()):
            return True
        if marks is not None or process.parent == _KERNEL:
            self._unmarked[process.pid] = process.started
        elif not process.dead and process.started >= self._since:
            self._unsure = True
        return False


_adopting = False


def adopt_orphans() -> bool:
    """Make this process the parent of all its descendants whose parents die (Linux).

    This is for a process that does nothing but run one command at a time: each of its children is then
    one of the command's processes, and :func:`reap_adopted` reaps it.

    Returns:
        False if the system does not support it.
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


def kill_until_gone(find: Callable[[], Iterable[int]], *, rounds: int = sys.maxsize) -> set[int]:
    """Send SIGKILL to the processes that ``find`` returns, until it returns no new process.

    A process can fork just before the signal arrives, so one pass is not enough. A process that has been
    killed may still be returned until its parent reaps it; it is not signalled again.

    Args:
        find: Returns the pids to kill. When it raises OSError, because no file descriptor is left to read
            ``/proc`` with, the search ends.
        rounds: The maximum number of passes.

    Returns:
        The pids that were signalled.
    """
    killed: set[int] = set()
    with contextlib.suppress(OSError):
        for _ in range(rounds):
            new = set(find()) - killed
            if not new:
                break
            for pid in new:
                _send_to(pid, signal.SIGKILL)
            killed |= new
    return killed


def _send_to(pid: int, number: int) -> None:
    # It may have exited, or have changed its user (sudo).
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def marked_processes() -> Iterator[tuple[int, int, int, list[bytes]]]:
    """Yield the pid, parent, start time (in ticks) and marks of each living process.

    Raises:
        OSError: The processes cannot be listed.
    """
    for process in _all_processes()[0].values():
        if not process.dead:
            yield process.pid, process.parent, process.started, _marks_of(process.pid) or []


def reap_adopted(root: int) -> bool:
    """Reap adopted orphans that have ended, but not ``root``. Return True if there may be more later."""
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
    """Return all processes of the system, and whether one ended meanwhile (it may have left a child).

    Args:
        but: Pids to skip on systems on which this saves time.
    """
    if not os.path.exists("/proc/self/stat"):
        return _from_ps(), False
    # The newest first: they are the most likely to end in the next moment.
    pids = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)
    found = [_from_proc(pid) for pid in pids if pid not in but]
    return {process.pid: process for process in found if process is not None}, None in found


def _from_proc(pid: int) -> Optional[_Process]:
    """Read one process as ``proc_pid_stat(5)`` describes. The process's name may contain parentheses."""
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
    """Read the processes on BSD and macOS. ``ps`` shows no environments and, on macOS, no sessions."""
    columns = "pid=,ppid=,pgid=,stat=,time=,lstart="
    try:
        listing = subprocess.run(["ps", "-A", "-o", columns], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return {}  # Windows
    processes = {}
    for line in listing.stdout.splitlines():
        pid, parent, group, state, time, started = line.split(None, 5)
        process = _Process(
            int(pid), int(parent), int(group), 0, state[0] == "Z", hash(started), int(_seconds(time) * _TICKS)
        )
        processes[process.pid] = process
    return processes


def _seconds(text: str) -> float:
    """Return the seconds of ``[[days-]hours:]minutes:seconds[.part]``, as ``ps`` prints CPU time."""
    days, _, time = text.rpartition("-")
    total = 0.0
    for part in time.split(":"):
        total = total * 60 + float(part)
    return total + 86400 * int(days or 0)


def _marks_of(pid: int) -> Optional[list[bytes]]:
    """Return the marks of all runs that a process belongs to: a run may have been started by another run.

    Returns:
        None if the process has no environment, as in the middle of an exec.
    """
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read()
    except OSError:  # the process belongs to another user, or has ended
        return []
    for variable in environment.split(b"\0"):
        name, _, value = variable.partition(b"=")
        if name == MARK.encode():
            return value.split(b":")
    return [] if environment else None


def _cpu_seconds(process: _Process) -> float:
    """Return the larger of two measurements: ticks of all threads, and nanoseconds of the first thread.

    The second also measures less than a tick (10 ms), but not every kernel provides it.
    """
    try:
        with open(f"/proc/{process.pid}/schedstat", "rb") as file:
            fine = int(file.read().split()[0]) / 1e9
    except (OSError, IndexError, ValueError):
        fine = 0.0
    return max(fine, process.ticks / _TICKS)


def _reads(pid: int, terminal: str, prompted: bool) -> bool:
    """Return True if the process is in a system call that reads ``terminal`` (``proc_pid_syscall(5)``)."""
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


_CALLS = {  # numbers of Linux system calls: `read`; `select` and `pselect6`
    "x86_64": (b"0", (b"23", b"270")),
    "aarch64": (b"63", (b"72",)),
}
