"""Random faults against real sessions: ``python -m faults.soak --minutes 30 --seed 1``.

A round starts a session with a few jobs and clients and injects a few faults at random moments. At the end it
runs :mod:`faults.checks` on every execution, and checks that no process is left. The seed is printed first:
the same seed gives the same faults, but their timing depends on the machine.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faults.checks import Job, violations
from faults.clock import jumping_clock
from faults.program import main
from support.network import NetworkLink
from support.sessions import host_pid, isolated

from pyrepl_stream import (
    ExecutionExistsError,
    InputRequestMessage,
    Message,
    PyreplStreamError,
    RemoteSession,
    StreamType,
    TargetError,
    UsageError,
    connect,
)
from pyrepl_stream.runtime import wire
from pyrepl_stream.runtime.errors import StaleEpochError
from pyrepl_stream.runtime.host.paths import SessionPaths
from pyrepl_stream.testing import BadNetwork

WRITERS = {StreamType.STDOUT: ("a", "b", "child"), StreamType.STDERR: ("c",)}
RETENTION = 1 << 20  # bytes kept of an execution whose output is limited
JUMPS = (-400 * 86400, -20 * 86400, -7200, 0, 7200, 20 * 86400)  # seconds by which the clock is ahead
FAULTS_OF_ROUND = 25
DEADLINE = 120.0  # seconds after which an execution that has not ended is a violation

# Three threads and a child process write lines. "begin" and "end" are appended to a file that no fault affects.
CODE = """
import os, subprocess, sys, threading, time
def note(word):
    with open({ledger!r}, "a") as file:
        file.write(word + "\\n")
note("begin")
def write(name, stream):
    for number in range({lines}):
        stream.write(f"{{name}} {{number}} {pad}\\n")
        if number % 50 == 0:
            time.sleep({pause})
threads = [threading.Thread(target=write, args=pair) for pair in [("a", sys.stdout), ("b", sys.stdout), ("c", sys.stderr)]]
for thread in threads:
    thread.start()
if {asks}:
    input("go on?")
for thread in threads:
    thread.join()
subprocess.run([sys.executable, "-c", "for number in range({lines}): print('child', number, '{pad}')"], check=True)
note("end")
"""


class Round:
    """One session with its jobs, clients and faults."""

    def __init__(self, root: Path, name: str, choose: random.Random, done: Counter[str]) -> None:
        self.name = name
        self.choose = choose
        self.done = done
        self.jobs: dict[str, Job] = {}
        self.limited = choose.random() < 0.2
        self._root = root
        self._codes: dict[str, str] = {}
        self._options = {"retention": RETENTION} if self.limited else {}
        self._threads: list[threading.Thread] = []
        self._failures: list[str] = []
        self._history: list[str] = []
        self._programs: list[subprocess.Popen[bytes]] = []

    # -- jobs and clients ----------------------------------------------------------------------

    def connect(self) -> RemoteSession:
        return connect(f"local:{self.name}", **self._options)

    def ledger(self, job: str) -> Path:
        return self._root / f"{self.name}-{job}"

    def start_job(self) -> None:
        """Start a job, and a client that follows it to its end and answers its questions."""
        job = Job(f"job{len(self.jobs)}", dict(WRITERS), self.choose.choice([50, 500, 3000]))
        # The host may notice only now that its worker was killed.
        job.faults = {"kill worker"} & set(self._history)
        self._codes[job.id] = CODE.format(
            ledger=str(self.ledger(job.id)),
            lines=job.lines,
            pad="x" * (200 if self.limited else 1),
            pause=self.choose.choice([0, 0.001, 0.02]),
            asks=self.choose.random() < 0.3,
        )
        self.jobs[job.id] = job
        created = threading.Event()
        self._spawn(self._follow_new, job, created)
        if not created.wait(DEADLINE):
            self._fail(f"{job.id} was not created in {DEADLINE:g} s")

    def _follow_new(self, job: Job, created: threading.Event) -> None:
        job.add_view(self._follow(job, on_created=lambda _: created.set()), run=1)

    def _follow(self, job: Job, **options: Any) -> list[Message]:
        with self.connect() as session:
            execution = session.execute(self._codes[job.id], execution_id=job.id, **options)
            view = []
            for message in execution:
                view.append(message)
                if isinstance(message, InputRequestMessage):
                    with contextlib.suppress(UsageError):  # it has ended meanwhile
                        execution.input("yes")
            return view

    def view(self, slow: bool = False) -> None:
        """Add a client that reads a job from a random message on, over a network that cuts and goes silent."""
        job = self.choose.choice(list(self.jobs.values()))
        cuts = [self.choose.randrange(1, 100_000) for _ in range(self.choose.randrange(5))]
        self._spawn(self._view, job, cuts, slow)

    def _view(self, job: Job, cuts: list[int], slow: bool) -> None:
        path = str(self._root / f"net-{self.name}-{time.monotonic_ns()}")
        with BadNetwork(path, SessionPaths(self.name).socket, cuts) as network:
            if not slow and len(cuts) % 2:
                network.silent.set()
                self._spawn(self._end_silence, network)
            with RemoteSession(NetworkLink(path)) as session:
                view, run = [], job.runs
                for message in session.attach(job.id):
                    view.append(message)
                    if slow and len(view) % 100 == 0:
                        time.sleep(0.01)
                job.add_view(view, run)

    @staticmethod
    def _end_silence(network: BadNetwork) -> None:
        time.sleep(0.2)
        network.silent.clear()

    def _spawn(self, call: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=self._attempt, args=(call.__name__, call, *args), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _attempt(self, name: str, call: Callable[..., None], *args: object) -> None:
        """Call ``call``; an exception that no fault explains is a violation."""
        try:
            call(*args)
        except Exception as exc:
            if not self._is_expected(exc, reaches_only=call == self._view):
                self._fail(f"{name}: {type(exc).__name__}: {exc}")

    def _is_expected(self, error: Exception, *, reaches_only: bool) -> bool:
        """Return True if a fault that was done makes a client raise this.

        Args:
            error: What the client raised.
            reaches_only: The client can reach a host, but not start it or ask it to listen again.
        """
        faults = set().union(*(job.faults for job in self.jobs.values()))
        if "No space left" in str(error):
            return "fill disk" in faults
        if isinstance(error, TargetError):
            return reaches_only and bool({"kill host", "remove runtime directory"} & faults)
        return isinstance(error, StaleEpochError) and any(job.runs > 1 for job in self.jobs.values())

    def _fail(self, text: str) -> None:
        self._failures.append(f"{text} (after {', '.join(self._history)})")

    # -- faults --------------------------------------------------------------------------------

    def fault(self) -> None:
        """Inject one fault, chosen at random."""
        kind = self.choose.choice(list(FAULTS))
        self._history.append(kind)
        self._attempt(kind, FAULTS[kind], self)
        self.done[kind] += 1

    def hit(self, kind: str, *jobs: Job) -> None:
        """Record that a fault may have ended these jobs, by default all jobs of the session."""
        for job in jobs or self.jobs.values():
            job.faults.add(kind)

    def a_job(self) -> Job:
        return self.choose.choice(list(self.jobs.values()))

    def stop(self, kill: bool) -> None:
        job = self.a_job()
        self.hit("kill" if kill else "interrupt", job)
        if kill:  # this kills the worker, and thereby the other executions in it
            self.hit("kill")
        with self.connect() as session:
            (session.kill if kill else session.interrupt)(job.id).wait(DEADLINE)

    def signal_host(self, number: int, kind: str) -> None:
        with contextlib.suppress(OSError):
            pid = host_pid(SessionPaths(self.name).socket)
            self._signal(pid, number, kind)

    def signal_worker(self, number: int, kind: str) -> None:
        with contextlib.suppress(OSError):
            pid = host_pid(SessionPaths(self.name).socket)
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                self._signal(int(child), number, kind)

    def _signal(self, pid: int, number: int, kind: str) -> None:
        if number == signal.SIGKILL:
            self.hit(kind)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            if number == signal.SIGSTOP:
                time.sleep(self.choose.random() / 4)
                os.kill(pid, signal.SIGCONT)

    def program(self, *words: str) -> subprocess.Popen[bytes]:
        program = subprocess.Popen(
            [sys.executable, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        self._programs.append(program)
        return program

    def kill_client(self) -> None:
        """Kill a client program while it reads. The messages that it has printed are checked."""
        job = self.a_job()
        run = job.runs
        program = self.program("-m", "pyrepl_stream.cli", "attach", f"{self.name}/{job.id}", "--json")
        assert program.stdout is not None
        read = [program.stdout.readline() for _ in range(self.choose.randrange(1, 50))]
        program.kill()
        read += program.stdout.read().split(b"\n")[:-1]
        program.wait()
        if not any(read) and not {"fill disk", "kill host"} & job.faults:
            self._fail(f"a program that was to read {job.id} printed nothing")
        job.add_view([wire.decode(line.decode()) for line in read if line.strip()], run)

    def kill_starter(self) -> None:
        """Kill a program at a random moment while it connects to the session and attaches to a job."""
        job = self.a_job()
        code = (
            "import sys, pyrepl_stream\nwith pyrepl_stream.connect(sys.argv[1]) as s: s.attach(sys.argv[2])"
        )
        program = self.program("-c", code, f"local:{self.name}", job.id)
        time.sleep(self.choose.random() / 2)
        program.kill()

    def start_at_once(self) -> None:
        """Connect several clients at the same moment."""
        for _ in range(4):
            self.view()

    def again(self) -> None:
        """Request a job again, with the same id and code: the client attaches, and the code does not run again."""
        job = self.a_job()
        with self.connect() as session:
            session.execute(self._codes[job.id], execution_id=job.id).detach()

    def other_code(self) -> None:
        """Request other code under the id of a job: this is an error, and nothing runs."""
        job = self.a_job()
        with self.connect() as session, contextlib.suppress(ExecutionExistsError):
            session.execute("1", execution_id=job.id).wait(DEADLINE)
            self._fail(f"{job.id} was replaced by other code")

    def ask_afresh(self) -> None:
        """Request a job with ``fresh=True``: an error while the job runs; once it has ended, it runs again."""
        self._spawn(self._follow_fresh, self.a_job())

    def _follow_fresh(self, job: Job) -> None:
        with contextlib.suppress(ExecutionExistsError):
            self._follow(job, fresh=True, on_created=lambda _: job.replace())

    def remove_runtime_directory(self) -> None:
        """Remove the sockets of all hosts, with their directory; every host goes on, and listens again."""
        self.hit("remove runtime directory")
        shutil.rmtree(os.environ["PYREPL_STREAM_RUNTIME_DIR"], ignore_errors=True)

    def more(self) -> None:
        self.start_job()

    # -- the end -------------------------------------------------------------------------------

    def finish(self) -> list[str]:
        """Wait until all clients are done, read all records, close the session, and return the violations."""
        self._attempt("the end", self._finish)
        return self._failures

    def _finish(self) -> None:
        end = time.monotonic() + DEADLINE
        with self.connect() as session:
            session.start().wait(DEADLINE)  # clients over a bad network wait for a host
            for thread in self._threads:
                thread.join(max(0.0, end - time.monotonic()))
            if any(thread.is_alive() for thread in self._threads):
                self._fail(f"a client was not done after {DEADLINE:g} s")
            for job in self.jobs.values():
                job.record = self._record(session, job)
                with contextlib.suppress(FileNotFoundError):
                    job.ledger = self.ledger(job.id).read_text().split()
            session.close().wait(DEADLINE)
        for program in self._programs:
            program.kill()
            program.wait()
            if program.stdout is not None:
                program.stdout.close()
        for job in self.jobs.values():
            for text in violations(job):
                self._fail(text)

    def _record(self, session: RemoteSession, job: Job) -> list[Message]:
        record: list[Message] = []
        try:
            for message in session.attach(job.id):
                record.append(message)
        except PyreplStreamError as exc:
            if "kill host" not in job.faults:  # then even its creation may have been lost
                self._fail(f"{job.id}: its record cannot be read: {exc}")
        return record


FAULTS: dict[str, Callable[[Round], None]] = {
    "interrupt": lambda r: r.stop(kill=False),
    "kill": lambda r: r.stop(kill=True),
    "stop host": lambda r: r.signal_host(signal.SIGSTOP, "stop host"),
    "kill host": lambda r: r.signal_host(signal.SIGKILL, "kill host"),
    "stop worker": lambda r: r.signal_worker(signal.SIGSTOP, "stop worker"),
    "kill worker": lambda r: r.signal_worker(signal.SIGKILL, "kill worker"),
    "bad network": Round.view,
    "slow client": lambda r: r.view(slow=True),
    "kill client": Round.kill_client,
    "kill starter": Round.kill_starter,
    "start at once": Round.start_at_once,
    "ask again": Round.again,
    "ask for other code": Round.other_code,
    "ask afresh": Round.ask_afresh,
    "remove runtime directory": Round.remove_runtime_directory,
    "one more job": Round.more,
}


def fill_disk(r: Round) -> None:
    """Fill the disk of the records for a moment."""
    r.hit("fill disk")
    path = Path(os.environ["PYREPL_STREAM_STATE_DIR"], "fill")
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    time.sleep(r.choose.random() / 2)
    path.unlink()


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """Mount a small disk at the directory of the records. Without the right to mount, no disk is filled."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", str(path)]
    if os.geteuid() or subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
        print("no disk is filled: only root can mount a small one", flush=True)
        yield
        return
    FAULTS["fill disk"] = fill_disk
    try:
        yield
    finally:
        del FAULTS["fill disk"]
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextlib.contextmanager
def moving_clock(root: Path) -> Iterator[None]:
    """Let the clock of hosts, workers and client programs jump, if there is a C compiler."""
    with jumping_clock(root) as jump:
        if jump is None:
            print("no clock jumps: there is no C compiler", flush=True)
            yield
            return
        FAULTS["jump of the clock"] = lambda r: jump(r.choose.choice(JUMPS))
        try:
            yield
        finally:
            del FAULTS["jump of the clock"]


def processes_of(root: Path) -> list[int]:
    """Return the pids of all other processes that keep their sessions below ``root``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(root).encode() in (entry / "environ").read_bytes() and int(entry.name) != os.getpid():
                found.append(int(entry.name))
    return found


def play(root: Path, name: str, choose: random.Random, faults: int, done: Counter[str]) -> list[str]:
    """Play one round and return its violations."""
    if os.environ.get("SOAK_V"):
        print(f"{time.monotonic():.2f} {name}", flush=True)
    game = Round(root, name, choose, done)
    for _ in range(choose.randrange(1, 4)):
        game.start_job()
    for _ in range(faults):
        time.sleep(choose.random() / 10)
        game.fault()
    return game.finish()


def soak(seconds: float, seed: int, rounds: int | None = None) -> tuple[Counter[str], list[str]]:
    """Play rounds for a time, or a given number of them. Return the number of each fault, and the violations."""
    done: Counter[str] = Counter()
    found: list[str] = []
    end = time.monotonic() + seconds
    number = 0
    with isolated() as root, small_disk(root / "state"), moving_clock(root):
        while time.monotonic() < end and (rounds is None or number < rounds):
            choose = random.Random(f"{seed}/{number}")
            new = play(root, f"round{number}", choose, FAULTS_OF_ROUND, done)
            found += new
            number += 1
            for text in new:
                print(f"VIOLATION seed {seed} round {number - 1}: {text}", flush=True)
        deadline = time.monotonic() + 20
        while (left := processes_of(root)) and time.monotonic() < deadline:
            time.sleep(0.1)
        found += [f"process {pid} is left" for pid in left]
    print(
        f"seed {seed}: {number} rounds, {done.total()} faults of {len(done)} kinds, {len(found)} violations"
    )
    print(", ".join(f"{kind} {count}" for kind, count in done.most_common()), flush=True)
    return done, found


if __name__ == "__main__":
    sys.exit(main("faults.soak", __doc__, soak, minutes=30))
