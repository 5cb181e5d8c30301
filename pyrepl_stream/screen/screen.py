"""What a source of output shows on a page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import UsageError
from ..processors.escapes import SEQUENCE, Escapes, without_start
from .edited_row import EditedRow
from .interpret import action
from .page import Page
from .row import LONGEST_ROW, Content, Row
from .style import PLAIN, after
from .terminal import Terminal
from .widths import JOINER, joins, kept, mended

__all__ = ("Screen",)

# Any control character but LF, unless it begins a sequence that only changes the style.
_OTHER = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f](?:(?<!\x1b)|(?!\[[0-9;:]{0,1024}m))")
_SGR = re.compile(r"\x1b\[([0-9;:]{0,1024})m")
_CONTROLS = re.compile(rf"({SEQUENCE}|[\x00-\x09\x0b-\x1f\x7f-\x9f])")
_SHOWN = bytes(range(0x20, 0x7F)) + b"\t\n"


class Screen:
    """A terminal of ``height`` rows that writes to a page, and whose rows have this ``source``.

    A line feed also returns the carriage, and nothing wraps: ``width``, in columns, only bounds where the
    cursor is sent to. But a line ends where a program itself has wrapped it, with blanks beyond the width and
    a carriage return: one blank behind a full row, as readline and libedit do, or as many as zsh and fish
    write behind a line that has no end. Other blanks that go too far wrap nothing: whoever takes the terminal
    for wider, as behind a pipe, pads what it draws again and again, and each time would leave a row behind.
    Rows appear on the page as they are written to. Not for several threads at once.
    Raises :class:`UsageError` for a height or a width below 1.
    """

    def __init__(self, page: Page, *, source: str = "", height: int = 40, width: int = 120) -> None:
        for name, value in (("height", height), ("width", width)):
            if value < 1:
                raise UsageError(f"{name} is {value}, but must be at least 1")
        self._page = page
        self._source = source
        self._terminal = Terminal(page, source, height, width)
        self._escapes = (Escapes(), Escapes())  # of stdout and of stderr
        self._held = ""  # a CR at the end, which is no more than a part of the end of a line if LF follows

    @property
    def title(self) -> str:
        """What the program gave the terminal's window as a title last."""
        return self._terminal.title

    def feed(self, text: str, *, error: bool = False) -> None:
        """Show text, however it was cut; ``error``: it is from stderr."""
        self._terminal.pen.from_stderr(error)
        self._show(self._escapes[error].complete(text))
        self._page.fed(len(text))

    def place(self, display: str) -> int:
        """Keep a row free for a rich display, where the cursor is; the row's number."""
        if self._held:
            self._held = ""
            self._terminal.carriage_return()
        return self._terminal.place(display)

    def finish(self) -> None:
        """The output has ended: show what was held, and leave the alternate screen."""
        for error, escapes in enumerate(self._escapes):
            self._terminal.pen.from_stderr(bool(error))
            self._show(without_start(escapes.flush()))
        self._terminal.finish()

    def _show(self, text: str) -> None:
        """Text that ends in no unfinished sequence."""
        text, self._held = self._held + mended(text), ""
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        if self._is_lines(text):
            self._lines(text)
            return
        parts = _CONTROLS.split(text)
        if parts[-2:] == ["\r", ""]:
            self._held = "\r"
            del parts[-2:]
        for place in range(0, len(parts) - 1, 2):
            if parts[place]:
                self._lines(parts[place])
            if (do := action(parts[place + 1])) is not None:
                do(self._terminal)
        self._lines(parts[-1])

    def _is_lines(self, text: str) -> bool:
        """Whether there are no controls but line feeds and styles, and tabs where these are only blanks."""
        if text.isascii() and not text.encode().translate(None, _SHOWN):
            return "\t" not in text or self._terminal.pen.style is PLAIN
        return _OTHER.search(text) is None

    # -- lines: no controls but line feeds, and sequences that change the style --------------------

    def _lines(self, text: str) -> None:
        terminal = self._terminal
        head, *rest = text.split("\n")
        self._write(head)
        if not rest:
            return
        terminal.line_feed()
        last = rest.pop()
        if rest and terminal.appends and not _has_long(rest, text):
            self._append(rest, text)
        else:
            for line in rest:
                self._write(line)
                terminal.line_feed()
        self._write(last)

    def _write(self, text: str) -> None:
        terminal = self._terminal
        if "\x1b" not in text:
            if "\t" in text:
                return self._write_tabs(text)
            if text:
                terminal.write(text)
            return
        parts = _SGR.split(text)
        for place in range(0, len(parts) - 1, 2):
            if parts[place]:
                terminal.write(parts[place])
            terminal.pen.restyle(parts[place + 1])
        if parts[-1]:
            terminal.write(parts[-1])

    def _write_tabs(self, text: str) -> None:
        head, *rest = text.split("\t")
        if head:
            self._terminal.write(head)
        for part in rest:
            self._terminal.tab(1)
            if part:
                self._terminal.write(part)

    def _append(self, lines: list[str], text: str) -> None:
        """Whole new lines out of ``text``."""
        self._terminal.last = _last(lines) or self._terminal.last
        missed = self._page.surplus(len(lines))
        if missed:
            for parameters in _SGR.findall("\n".join(lines[:missed])):
                self._terminal.pen.restyle(parameters)
            del lines[:missed]
        rows: list[Content] = [*lines]
        if "\x1b" in text or "\t" in text or self._source or self._terminal.pen.style is not PLAIN:
            rows = [self._row(line) for line in lines]
        else:
            if " \n" in text:
                rows = [line.rstrip(" ") for line in lines]
            if not text.isascii() and joins("".join([line for line in lines if not line.isascii()])):
                for place, line in enumerate(lines):
                    if joins(line):
                        rows[place] = self._row(line)
        self._terminal.append(rows, missed)

    def _row(self, line: str) -> Content:
        window, pen = self._terminal.window, self._terminal.pen
        parts = _SGR.split(line)
        if marks := not line.isascii() and joins(line):
            if _joins_parts(parts):
                return self._row_of_cells(parts)
            parts[::2] = [kept(part) for part in parts[::2]]
        if len(parts) == 1:
            return window.new(parts[0] if marks else line.expandtabs(8), pen.style)
        style = pen.style
        texts, runs = [], []
        for place in range(0, len(parts) - 1, 2):
            if part := parts[place]:
                texts.append(part)
                runs.append((len(part), style))
            style = after(style, parts[place + 1])
        if part := parts[-1]:
            texts.append(part)
            runs.append((len(part), style))
        pen.style = style
        return Row("".join(texts), runs, source=self._source)

    def _row_of_cells(self, parts: Sequence[str]) -> Content:
        """Of text and parameters of SGR in turn, cell by cell."""
        pen = self._terminal.pen
        row = EditedRow(self._terminal.window.new())
        x = row.type(0, parts[0], pen.style)
        for place in range(1, len(parts), 2):
            pen.restyle(parts[place])
            x = row.type(x, parts[place + 1], pen.style)
        return row.stripped()


def _joins_parts(parts: Sequence[str]) -> bool:
    """Whether one of these texts (every second part) may begin in the last cell of another, or in none."""
    split = len(parts) > 1 and any(JOINER in part for part in parts[::2])
    return split or any(part and joins(part[0]) for part in parts[::2])


def _last(lines: Sequence[str]) -> str:
    """The last character that is shown, if any."""
    shown = (_SGR.sub("", line).rstrip("\t") for line in reversed(lines))
    return next((line[-1] for line in shown if line), "")


def _has_long(lines: Sequence[str], text: str) -> bool:
    """Whether a line out of the text may have more columns than are kept."""
    return len(text) > LONGEST_ROW // 2 and max(map(len, lines)) > LONGEST_ROW // 2
