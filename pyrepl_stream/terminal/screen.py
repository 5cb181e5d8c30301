"""A terminal that shows the output of one source on a page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Protocol

from ..runtime.validation import check_at_least_one
from .controls import Action, action
from .page import Page
from .parser import SEQUENCE, SGR, Escapes, runs, without_start
from .row import LONGEST_ROW, Content, Row
from .style import PLAIN, after
from .terminal import Terminal
from .widths import joins, mended

__all__ = ("Screen", "Watch")

# Any control character except LF, unless it begins a sequence that only changes the style.
_OTHER = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f](?!(?<=\x1b)\[[0-9;:]{0,1024}m)")
# The same for text whose only other control is ESC.
_NO_STYLE = re.compile(r"\x1b(?!\[[0-9;:]{0,1024}m)")
_SGR = re.compile(r"\x1b\[([0-9;:]{0,1024})m")
_CONTROLS = re.compile(rf"({SEQUENCE}|[\x00-\x09\x0b-\x1f\x7f-\x9f])")
_STYLES_AND_TABS = re.compile(rf"({SGR}|\t)")
_SHOWN = bytes(range(0x20, 0x7F)) + b"\n"


class Watch(Protocol):
    """Follows what a program draws on the rows of a terminal, such as progress bars."""

    def plain(self, text: str) -> int:
        """Return the length of the part at the start of ``text`` that need not be passed to :meth:`wrote`."""

    def skipped(self) -> None:
        """Handle the part found by :meth:`plain`, after it was shown."""

    def wrote(self, text: str, start: int) -> None:
        """Handle text, with any changes of style, that was written from column ``start`` to the cursor."""

    def control(self, control: str, execute: Action) -> None:
        """Execute a control character or sequence on the terminal, and handle what it does."""

    def end_chunk(self) -> None:
        """Handle the end of a chunk of text, after which a pause may follow."""

    def release(self) -> None:
        """Release held text before something other than text, such as a display or the end."""


class Screen:
    """A terminal that writes to a page. Rows appear on the page when they are written to.

    A line feed also returns the carriage, and lines do not wrap: ``width`` only bounds cursor movements.
    The exception is a line that the program itself wraps, with blanks beyond the width and a carriage return:
    one blank after a full row, as readline and libedit do, or as many as zsh and fish write after a line
    without a line feed. Other blanks beyond the width do not wrap the line: a program that assumes a wider
    terminal may pad each redraw, and each of them would add a row. A screen is not thread-safe.

    Args:
        page: The page that gets the rows.
        source: The source of the output, which is stored in its rows.
        height: The number of rows of the terminal.
        width: The number of columns of the terminal.

    Raises:
        UsageError: The height or width is below 1.

    Attributes:
        terminal: The state of the terminal.
    """

    def __init__(self, page: Page, *, source: str = "", height: int = 40, width: int = 120) -> None:
        check_at_least_one(height=height, width=width)
        self._page = page
        self._source = source
        self.terminal = Terminal(page, source, height, width)
        self._escapes = (Escapes(), Escapes())  # for stdout and for stderr
        self._watch: Watch | None = None
        self._held = ""  # a CR at the end of a chunk, which is part of a line end if LF follows

    @property
    def title(self) -> str:
        """The title that the program set last."""
        return self.terminal.title

    def watch(self, watch: Watch) -> None:
        """Let ``watch`` follow everything that is drawn from now on."""
        self._watch = watch

    def feed(self, text: str, *, error: bool = False) -> None:
        """Show text, which may be cut into chunks anywhere; ``error``: it was written to stderr."""
        self.terminal.pen.from_stderr(error)
        self._show(self._escapes[error].complete(text))
        self._page.fed(len(text))

    def place(self, display: str) -> int:
        """Reserve a row for a rich display at the cursor and return its number."""
        if self._held:
            self._held = ""
            self.terminal.carriage_return()
        if self._watch is not None:
            self._watch.release()
        return self.terminal.place(display)

    def finish(self) -> None:
        """End the output: show the held text and leave the alternate screen."""
        for error, escapes in enumerate(self._escapes):
            self.terminal.pen.from_stderr(bool(error))
            self._show(without_start(escapes.flush()))
        if self._watch is not None:
            self._watch.release()
        self.terminal.finish()

    def _show(self, text: str) -> None:
        """Show text that does not end in an unfinished sequence, but hold back a CR at its end."""
        text, self._held = self._held + mended(text), ""
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        if self._watch is not None:
            self._show_watched(text, self._watch)
        else:
            self._show_all(text)

    def _show_watched(self, text: str, watch: Watch) -> None:
        if text.endswith("\r"):
            text, self._held = text[:-1], "\r"
        if plain := watch.plain(text):
            self._show_all(text[:plain])
            watch.skipped()
            text = text[plain:]
        for shown, control in runs(text):
            if shown:
                start = self.terminal.x
                self._write(shown)
                watch.wrote(shown, start)
            elif (execute := action(control)) is not None:
                watch.control(control, execute)
        watch.end_chunk()

    def _show_all(self, text: str) -> None:
        if self._is_lines(text):
            self._lines(text)
            return
        parts = _CONTROLS.split(text)
        if parts[-2:] == ["\r", ""]:
            self._held = "\r"
            del parts[-2:]
        self._show_parts(parts, self._lines)

    def _show_parts(self, parts: Iterable[str], show: Callable[[str], object]) -> None:
        """Show texts and execute controls, which alternate in ``parts``."""
        for place, part in enumerate(parts):
            if place % 2 == 0:
                if part:
                    show(part)
            elif (execute := action(part)) is not None:
                execute(self.terminal)

    def _is_lines(self, text: str) -> bool:
        """Return True for text whose only controls are line feeds, styles, and tabs that act as blanks."""
        if not text.isascii():
            return _OTHER.search(text) is None
        controls = set(text.encode().translate(None, _SHOWN))  # several times as fast as the expression
        if controls == {0x1B}:
            return _NO_STYLE.search(text) is None
        return not controls or (controls == {0x09} and self.terminal.pen.style is PLAIN)

    # -- lines: text whose only controls are line feeds and changes of the style -------------------

    def _lines(self, text: str) -> None:
        terminal = self.terminal
        *lines, last = text.split("\n")
        if lines and not terminal.appends:
            self._write(lines.pop(0))
            terminal.line_feed()
        if lines and terminal.appends:
            self._append(lines, text)
        else:
            for line in lines:
                self._write(line)
                terminal.line_feed()
        self._write(last)

    def _write(self, text: str) -> None:
        if "\x1b" in text or "\t" in text:
            self._show_parts(_STYLES_AND_TABS.split(text), self.terminal.write)
        elif text:
            self.terminal.write(text)

    def _append(self, lines: list[str], text: str) -> None:
        """Append the complete ``lines`` of ``text`` to the page."""
        terminal = self.terminal
        terminal.last = _last(lines) or terminal.last
        missed = self._page.surplus(len(lines))
        if missed:
            for parameters in _SGR.findall("\n".join(lines[:missed])):
                terminal.pen.restyle(parameters)
            del lines[:missed]
        if "\t" in text:
            lines = [line.expandtabs(8) for line in lines]
        styled = "\x1b" in text or terminal.pen.style is not PLAIN
        if styled or self._source or _has_long(lines, text):
            rows = [self._row(line) for line in lines]
        else:
            if " \n" in text or "\t" in text:
                lines = [line.rstrip(" ") for line in lines]
            rows = [*lines]
            if not text.isascii() and joins("".join([line for line in lines if not line.isascii()])):
                rows = [self._row(line) if joins(line) else line for line in lines]
        terminal.append(rows, missed)

    def _row(self, line: str) -> Content:
        parts = _SGR.split(line)
        styles = [*accumulate(parts[1::2], after, initial=self.terminal.pen.style)]
        self.terminal.pen.style = styles[-1]
        return Row.of(parts[::2], styles, self._source).kept()


def _last(lines: Sequence[str]) -> str:
    """Return the last character that is shown, or an empty string."""
    shown = (_SGR.sub("", line).rstrip("\t") for line in reversed(lines))
    return next((line[-1] for line in shown if line), "")


def _has_long(lines: Sequence[str], text: str) -> bool:
    """Return True when a line of the text may have more columns than are kept."""
    return len(text) > LONGEST_ROW // 2 and max(map(len, lines)) > LONGEST_ROW // 2
