"""A progress bar in words, for views that have one line for it."""

from __future__ import annotations

from ...messages import ProgressMessage

__all__ = ("progress_line",)


def progress_line(message: ProgressMessage) -> str:
    """Such as ``Remote progress: 42% | 3.1 it/s | ETA 00:12 | epoch 3``."""
    parts = [_amount(message)]
    if message.rate is not None:
        parts.append(f"{_number(message.rate, message.unit)}/s")
    if message.finished:
        if message.elapsed is not None:
            parts.append(f"took {_clock(message.elapsed)}")
    elif message.remaining is not None:
        parts.append(f"ETA {_clock(message.remaining)}")
    elif message.elapsed is not None:
        parts.append(f"since {_clock(message.elapsed)}")
    if message.description:
        parts.append(" ".join(message.description.split()))
    return f"Remote progress: {' | '.join(parts)}"


def _amount(message: ProgressMessage) -> str:
    if message.percentage is not None:
        return f"{message.percentage:.0f}%"
    if message.current is None:
        return "done" if message.finished else "under way"
    total = "" if message.total is None else f" of {_number(message.total, message.unit)}"
    return _number(message.current, message.unit) + total


def _number(value: float, unit: str) -> str:
    """With its unit, in thousands of it where it is large."""
    if unit == "B":
        for prefix in ("", "k", "M", "G", "T", "P"):
            if abs(value) < 999.5 or prefix == "P":
                return f"{value:.3g} {prefix}B"
            value /= 1000
    shown = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return f"{shown} {unit or 'it'}"


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute:02d}:{second:02d}"
