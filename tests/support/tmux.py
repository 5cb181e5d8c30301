"""A real terminal to compare with: the screen of tmux, and the bytes it sends to its own terminal."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import pexpect
import pytest

_SHOWN = "~all-is-shown~"
_LIMIT = 60  # seconds; only a hang takes that long

# Xterm with 16 colours, which some machines lack.
_XTERM_16 = r"""
xterm-16|xterm with 16 colors, colors#16, pairs#256,
  setab=\E[%?%p1%{8}%<%t%p1%{40}%+%e%p1%{92}%+%;%dm,
  setaf=\E[%?%p1%{8}%<%t%p1%{30}%+%e%p1%{82}%+%;%dm, use=xterm,
"""


def needs_tmux() -> None:
    """Skip the test where tmux is missing; fail it in CI."""
    if missing := [program for program in ("tmux", "tic") if shutil.which(program) is None]:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{missing[0]} is not installed, but CI requires it")
        pytest.skip(f"{missing[0]} is not installed")


class Tmux:
    """A tmux with a server of its own that shows ``text``, in a terminal of the type ``term``.

    ``sent`` is the text that it sends to that terminal; ``lines`` must be enough to show all of it.
    """

    def __init__(self, text: str, term: str = "xterm-256color", columns: int = 200, lines: int = 60) -> None:
        self._folder = Path(
            tempfile.mkdtemp(prefix="tmux-")
        )  # short, because the name of a socket is limited
        self._name = uuid.uuid4().hex[:8]
        (self._folder / "xterm-16").write_text(_XTERM_16)
        subprocess.run(["tic", "-x", "-o", self._folder / "terminfo", self._folder / "xterm-16"], check=True)
        (self._folder / "text").write_text(text + f"\x1b[0m\n{_SHOWN}", encoding="utf-8", newline="")
        unwanted = ("TMUX", "COLORTERM", "TMUX_PANE", "LC_ALL")
        self._environ = {key: value for key, value in os.environ.items() if key not in unwanted} | {
            "TERM": term,
            "TERMINFO": str(self._folder / "terminfo"),
            "TMUX_TMPDIR": str(self._folder),
            "LANG": "C.UTF-8",
        }
        # Erasing the display does not scroll it into the history, as in xterm.
        options = "set -g status off; set -g history-limit 1000000; set -g scroll-on-clear off"
        (self._folder / "conf").write_text(options.replace("; ", "\n"))
        command = f"cat {self._folder / 'text'}; exec cat"
        self._terminal = pexpect.spawn(
            "tmux",
            ["-u", "-L", self._name, "-f", str(self._folder / "conf"), "new-session", command],
            env=self._environ,
            dimensions=(lines, columns),
            encoding="utf-8",
            timeout=_LIMIT,
        )
        try:
            self._wait_until_shown()
            # The screen no longer changes. Its first drawing may have arrived in pieces, so it is drawn
            # twice more from the top: after the first end that arrives, there is a whole drawing.
            for _ in range(2):
                self._ask("refresh-client", "-t", self._ask("list-clients", "-F", "#{client_name}").strip())
                self._terminal.expect_exact(_SHOWN)
        except BaseException:
            self.close()
            raise
        self.sent: str = self._terminal.before

    def captured(self, *options: str) -> list[str]:
        """Return the lines of the pane and of its history."""
        # Only line feeds end lines: the text may have other separators.
        lines = self._ask("capture-pane", "-p", "-S", "-", *options).split("\n")
        return lines[: next(place for place, line in enumerate(lines) if _SHOWN in line)]

    def _wait_until_shown(self) -> None:
        deadline = time.monotonic() + _LIMIT
        while _SHOWN not in self._ask("capture-pane", "-p", check=False):  # the server may not run yet
            if time.monotonic() > deadline:
                raise TimeoutError(f"tmux did not show the whole text within {_LIMIT} s")
            time.sleep(0.005)

    def _ask(self, *arguments: str, check: bool = True) -> str:
        return subprocess.run(
            ["tmux", "-L", self._name, *arguments],
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=None if check else subprocess.DEVNULL,
            encoding="utf-8",
            check=check,
            timeout=_LIMIT,
        ).stdout

    def close(self) -> None:
        self._ask("kill-server")
        self._terminal.expect(pexpect.EOF)
        self._terminal.close()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Tmux:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# -- the screen, cell by cell --------------------------------------------------------------------

_CASE = "~case {}~"
Cells = list[tuple[str, str]]
"""The characters of a row, each with the words of its style, as `Style.words` has them."""


def screens(cases: Sequence[str], columns: int = 120, lines: int = 40) -> list[list[Cells]]:
    """Return the rows that tmux shows for each case on a screen of its own, with those of the history.

    A line feed also returns the carriage. No case may erase the history.
    """
    # After each case the screen scrolls into the history, so that all of it is captured at once.
    end = "\x18\x0f\x1b[?1049l\x1b[?47l\x1b(B\x1b)B\x1b[0;4l\x1b[m\x1b]8;;\x1b\\\x1b[?6l\x1b[r"
    away = "\n" * lines
    text = "".join(
        f"{case}{end}\x1b[{lines};1H{away}{_CASE.format(number)}{away}\x1b[H\x1b7"
        for number, case in enumerate(cases)
    )
    with Tmux(text, columns=columns, lines=lines) as tmux:
        captured = tmux.captured("-eN")
    shown: list[list[Cells]] = []
    rows: list[Cells] = []
    for row in _cells(captured):
        if "".join(character for character, _ in row) != _CASE.format(len(shown)):
            rows.append(row)
            continue
        while rows and not rows[-1]:
            rows.pop()
        shown.append(rows)
        rows = []
    assert len(shown) == len(cases)
    return shown


def _cells(lines: Sequence[str]) -> Iterator[Cells]:
    style: dict[str, str] = {}
    drawing = False
    for line in lines:
        row: Cells = []
        for text, control in re.findall(r"([^\x1b\x0e\x0f]+)|(\x1b\[[0-9;:]*m|[\x0e\x0f])", line):
            if control in ("\x0e", "\x0f"):
                drawing = control == "\x0e"
            elif control:
                _restyle(style, control[2:-1])
            words = " ".join(sorted(style.values()))
            row += [(_DRAWN.get(one, one) if drawing else one, words) for one in text]
        while row and row[-1] == (" ", ""):
            row.pop()
        yield row


_DRAWN = dict(zip("`afgjklmnopqrstuvwxyz{|}~", "◆▒°±┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·", strict=True))
_WORDS = {"1": "b", "2": "d", "3": "i", "4": "u", "7": "v", "8": "h", "9": "s"}


def _restyle(style: dict[str, str], parameters: str) -> None:
    """Apply parameters to a style. The output of tmux is correct and has one form for each style."""
    codes = iter(re.sub(r":\d+", "", parameters).split(";"))
    for code in codes:
        if code in ("", "0"):
            style.clear()
        elif code in ("38", "48", "58"):
            count = 1 if next(codes) == "5" else 3
            colour = _colour([int(next(codes)) for _ in range(count)])
            if code != "58":  # colour of the underline, which the words do not include
                style[code[0]] = ("f" if code == "38" else "g") + colour
        elif code in _WORDS:
            style[_WORDS[code]] = _WORDS[code]
        elif code in ("39", "49"):
            style.pop(code[0], None)
        elif len(code) > 1 and code[:-1] in ("3", "4", "9", "10"):
            bright = code[:-1] in ("9", "10")
            text = code[:-1] in ("3", "9")
            style["3" if text else "4"] = ("f" if text else "g") + str(int(code[-1]) + 8 * bright)


def _colour(values: list[int]) -> str:
    if len(values) == 3:
        return "#{:02x}{:02x}{:02x}".format(*values)
    index = values[0]
    if index < 16:
        return str(index)
    if index > 231:
        return "#" + 3 * f"{8 + 10 * (index - 232):02x}"
    levels = (0, 95, 135, 175, 215, 255)
    return "#" + "".join(f"{levels[(index - 16) // size % 6]:02x}" for size in (36, 6, 1))
