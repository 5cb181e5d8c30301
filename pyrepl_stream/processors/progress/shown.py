"""A progress bar as one line of text."""

from __future__ import annotations

from ...runtime.messages import ProgressMessage

__all__ = ("amount", "clock", "progress_line")


def progress_line(message: ProgressMessage) -> str:
    """Return a line such as ``Remote progress: 42% | 3.1 it/s | ETA 00:12 | epoch 3``."""
    parts = [_position(message)]
    if message.rate is not None:
        parts.append(f"{amount(message.rate, message.unit or 'it')}/s")
    if message.finished:
        if message.elapsed is not None:
            parts.append(f"took {clock(message.elapsed)}")
    elif message.remaining is not None:
        parts.append(f"ETA {clock(message.remaining)}")
    elif message.elapsed is not None:
        parts.append(f"since {clock(message.elapsed)}")
    if message.description:
        parts.append(" ".join(message.description.split()))
    return f"Remote progress: {' | '.join(parts)}"


def _position(message: ProgressMessage) -> str:
    if message.percentage is not None:
        return f"{message.percentage:.0f}%"
    if message.current is None:
        return "done" if message.finished else "under way"
    unit = message.unit or "it"
    total = "" if message.total is None else f" of {amount(message.total, unit)}"
    return amount(message.current, unit) + total


def amount(value: float, unit: str) -> str:
    """Return a number with its unit; bytes get prefixes such as ``k`` and ``M``, for powers of 1000."""
    if unit == "B":
        for prefix in ("", "k", "M", "G", "T", "P"):
            if abs(value) < 999.5 or prefix == "P":
                return f"{value:.3g} {prefix}B"
            value /= 1000
    number = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return f"{number} {unit}".rstrip()


def clock(seconds: float, *, minutes: str = "02d") -> str:
    """Return a duration as ``2:03:04`` or ``03:04``; ``minutes`` is the format of minutes without hours."""
    whole, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(whole, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute:{minutes}}:{second:02d}"
