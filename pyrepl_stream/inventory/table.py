"""Sessions and executions as a table."""

from __future__ import annotations

import time
from collections.abc import Iterable

from .lookup import ExecutionInfo, SessionInfo

__all__ = ("sessions_table",)

_MAX_HEAD = 60  # maximum number of characters of the code
_NEWEST = 100  # maximum number of ended executions of a session


def sessions_table(sessions: Iterable[SessionInfo], now: float | None = None) -> str:
    """Return a table of the executions of ``sessions``: of each, all that run and the 100 that ended last.

    Args:
        sessions: The sessions.
        now: The current time in seconds since the epoch, by default from the clock.
    """
    now = time.time() if now is None else now
    rows = [("EXECUTION", "STATUS", "STARTED", "TOOK", "CODE")]
    ended, silent, older = [], [], []
    for session in sessions:
        shown = session.newest(_NEWEST)
        rows += [_row(execution, now) for execution in shown]
        if len(shown) < len(session.ids):
            older.append(f"{len(session.ids) - len(shown):,} of {session.name}")
        if not shown:
            rows.append((f"{session.name}/", "idle" if session.alive else "ended", "", "", ""))
        if not session.alive:
            ended.append(session.name)
        elif not session.answers:
            silent.append(session.name if session.pid is None else f"{session.name} (process {session.pid})")
    if len(rows) == 1:
        return "there are no sessions\n"
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in rows
    ]
    if older:
        lines.append(f"[older executions that are not shown: {', '.join(older)}]")
    if ended:
        lines.append(f"[no host, only records: {', '.join(ended)}]")
    if silent:
        lines.append(f"[the host does not answer: {', '.join(silent)}]")
    return "".join(f"{line}\n" for line in lines)


def _row(execution: ExecutionInfo, now: float) -> tuple[str, str, str, str, str]:
    status, complete = execution.status, execution.complete
    if execution.asks:
        status += ", waits for input"
    if complete is not None and complete.exit_code:
        status += f" ({complete.exit_code})"
    started = time.localtime(execution.started)
    today = time.localtime(now)[:3] == started[:3]
    took = None if complete is None else complete.duration
    if not execution.ended:
        took = max(0.0, now - execution.started)
    head = "".join(character if character.isprintable() else " " for character in execution.head)
    head = head if len(head) <= _MAX_HEAD else head[: _MAX_HEAD - 3] + "..."
    return (
        execution.name,
        status,
        time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M", started),
        "" if took is None else _took(took),
        head,
    )


def _took(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
