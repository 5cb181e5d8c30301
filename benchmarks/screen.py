"""The speed of the screen model, for messages of 64 KiB and for messages of one line or redraw."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from pyrepl_stream.terminal import Page, Screen

from .report import Table, middle

ROUNDS = 7
SIZE = 1 << 19  # bytes a round, at least
CHUNK = 1 << 16  # characters a message

# pyte 0.8.2 (a HistoryScreen of the same size, measured once) took about 3,000 times as long for plain
# lines, 400 times for coloured ones, 25 to 75 times for bars and 10 times for rich. It is not a dependency.


def run() -> Iterator[Table]:
    """Feed each text to a page of 10,000 rows, in turn, so that noise affects all of them alike."""
    table = Table(
        "Screen model",
        ("text", "MB/s", "to plain lines", "MB/s, one a message"),
        f"{ROUNDS} rounds of {SIZE >> 10} KiB; MB are of UTF-8, sequences included.",
    )
    texts = {name: (pieces * (SIZE // _bytes(pieces) + 1), least) for name, pieces, least in _texts()}
    joined: dict[str, list[float]] = {name: [] for name in texts}
    single: dict[str, list[float]] = {name: [] for name in texts}
    for _ in range(ROUNDS):
        for name, (pieces, _) in texts.items():
            text = "".join(pieces)
            chunks = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
            joined[name].append(_rate(chunks, _bytes(pieces)))
            single[name].append(_rate(pieces, _bytes(pieces)))
    for name, (_, least) in texts.items():
        ratios = [rate / plain for rate, plain in zip(joined[name], joined["plain lines"], strict=True)]
        table.row(
            name,
            table.bounded(name, joined[name], least=least, show="{:.1f}".format),
            middle(ratios, "{:.3f}".format),
            middle(single[name], "{:.1f}".format),
        )
    yield table


def _texts() -> Iterator[tuple[str, list[str], float | None]]:
    """Return each name, with a text in pieces and the bound in MB/s."""
    counts = range(500)
    yield "plain lines", [f"{'word ' * 15}{count:4}\n" for count in counts], 150
    yield "plain lines, not ASCII", [f"{'wörter 日本 ' * 6}{count}\n" for count in counts], None
    yield "coloured log lines", [_coloured(count) for count in counts], 20
    yield "tqdm", [f"\r{_bar(count)}" for count in counts], 3
    yield "tqdm, nested", [f"\r\x1b[A{_bar(count)}\n\r{_bar(count * 7)}" for count in counts], 3
    yield "rich, two tasks", [_rich(count) for count in counts], None
    yield "lines redrawn", [f"working\r\x1b[Kdone {count}\n" for count in counts], None


def _coloured(count: int) -> str:
    return (
        f"2026-01-01 12:00:{count % 60:02} \x1b[1mserver\x1b[0m: "
        f"\x1b[38;2;{count % 6 * 51};100;50m{'request ' * 6}\x1b[0m{count} ms\n"
    )


def _bar(count: int) -> str:
    part = count % 100
    return f"{part:3}%|{'█' * (part // 2):50}| {count}/1000 [00:{count % 60:02}<00:30, 99.5it/s]"


def _rich(count: int) -> str:
    done = count % 40
    bar = f"\x1b[38;2;249;38;114m{'━' * done}\x1b[0m\x1b[38;5;237m╺{'━' * (39 - done)}\x1b[0m"
    row = f"task {bar} \x1b[35m{count % 100:3}%\x1b[0m \x1b[36m0:00:{count % 60:02}\x1b[0m"
    return f"\r\x1b[2K\x1b[1A\x1b[2K{row}\n{row}"


def _bytes(pieces: Sequence[str]) -> int:
    return sum(len(piece.encode()) for piece in pieces)


def _rate(chunks: Iterable[str], size: int) -> float:
    """Return the rate in megabytes per second."""
    screen = Screen(Page())
    started = time.perf_counter()
    for chunk in chunks:
        screen.feed(chunk)
    return size / (time.perf_counter() - started) / 1e6
