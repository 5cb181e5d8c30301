"""A real terminal to look at: what tmux shows, and what it sends to the terminal that it runs in."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from types import TracebackType

import pexpect
import pytest

_SHOWN = "~all-is-shown~"
_LIMIT = 60  # seconds; only a hang takes that long

# Xterm with 16 colours, which not every machine has.
_XTERM_16 = r"""
xterm-16|xterm with 16 colors, colors#16, pairs#256,
  setab=\E[%?%p1%{8}%<%t%p1%{40}%+%e%p1%{92}%+%;%dm,
  setaf=\E[%?%p1%{8}%<%t%p1%{30}%+%e%p1%{82}%+%;%dm, use=xterm,
"""


def needs_tmux() -> None:
    """Skip where it is missing, and fail where it must not be: in CI."""
    if missing := [program for program in ("tmux", "tic") if shutil.which(program) is None]:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{missing[0]} is not installed here, and has to be in CI")
        pytest.skip(f"{missing[0]} is not installed")


class Tmux:
    """A tmux with a server of its own that has been shown ``text``, in a terminal of the type ``term``.

    ``sent``: what it sends to that terminal to show all of it; ``lines`` have to be enough for that.
    """

    def __init__(self, text: str, term: str = "xterm-256color", columns: int = 200, lines: int = 60) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tmux-"))  # short, as the name of a socket has to be
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
        options = "set -g status off; set -g history-limit 10000"
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
            self._terminal.expect_exact(_SHOWN)
            # Only now nothing changes any more, and it is drawn in one go from the top.
            self._ask("refresh-client", "-t", self._ask("list-clients", "-F", "#{client_name}").strip())
            self._terminal.expect_exact(_SHOWN)
        except BaseException:
            self.close()
            raise
        self.sent: str = self._terminal.before

    def captured(self, *options: str) -> list[str]:
        """The lines of the pane as they are shown, with those that have scrolled away."""
        # Only line feeds end lines: what is shown may hold other separators.
        lines = self._ask("capture-pane", "-p", "-S", "-", *options).split("\n")
        return lines[: next(place for place, line in enumerate(lines) if _SHOWN in line)]

    def _ask(self, *arguments: str) -> str:
        return subprocess.run(
            ["tmux", "-L", self._name, *arguments],
            env=self._environ,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=True,
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
