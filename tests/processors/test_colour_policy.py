from __future__ import annotations

import os
import pty
import sys
from dataclasses import dataclass, field

import pytest

from pyrepl_stream.errors import UsageError
from pyrepl_stream.processors.colour_policy import ColourPolicy, enable_virtual_terminal

TRUE = 1 << 24
XTERM = {"TERM": "xterm-256color"}


@pytest.mark.parametrize(
    ("environ", "depth"),
    [
        ({}, 16),
        ({"TERM": "xterm"}, 16),
        (XTERM, 256),
        ({"TERM": "screen-256color"}, 256),
        ({"TERM": "xterm-direct"}, TRUE),
        ({**XTERM, "COLORTERM": "truecolor"}, TRUE),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, TRUE),
        ({**XTERM, "COLORTERM": "yes"}, 256),
        ({"WT_SESSION": "1"}, TRUE),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, 0),
        ({**XTERM, "NO_COLOR": "1"}, 0),
        ({**XTERM, "NO_COLOR": ""}, 256),
        ({**XTERM, "NO_COLOR": "1", "FORCE_COLOR": "3"}, 0),
        ({**XTERM, "FORCE_COLOR": "0"}, 0),
        ({**XTERM, "FORCE_COLOR": "false"}, 0),
        ({**XTERM, "FORCE_COLOR": "1"}, 16),
        ({**XTERM, "FORCE_COLOR": "3"}, TRUE),
        ({**XTERM, "CLICOLOR": "0"}, 0),
        ({**XTERM, "CLICOLOR": "1"}, 256),
    ],
)
def test_a_terminal_has_the_colours_that_its_environment_tells(environ: dict[str, str], depth: int) -> None:
    assert ColourPolicy.of(True, environ) == ColourPolicy(depth, cursor=environ.get("TERM") != "dumb")


@pytest.mark.parametrize(
    ("environ", "depth"),
    [
        ({**XTERM, "COLORTERM": "truecolor"}, 0),
        ({"FORCE_COLOR": ""}, 16),
        ({"FORCE_COLOR": "true"}, 16),
        ({"FORCE_COLOR": "2"}, 256),
        ({"FORCE_COLOR": "yes"}, 16),
        ({"FORCE_COLOR": "3", "TERM": "dumb"}, TRUE),
        ({**XTERM, "CLICOLOR_FORCE": "1"}, 256),
        ({**XTERM, "CLICOLOR_FORCE": "0"}, 0),
        ({**XTERM, "CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, 0),
    ],
)
def test_what_is_no_terminal_has_colours_only_by_force_and_no_cursor(environ: dict[str, str], depth: int) -> None:
    assert ColourPolicy.of(False, environ) == ColourPolicy(depth, cursor=False)


def test_a_choice_goes_before_the_environment() -> None:
    assert ColourPolicy.of(False, {**XTERM, "NO_COLOR": "1"}, choice="always") == ColourPolicy(256, cursor=False)
    assert ColourPolicy.of(True, {"TERM": "dumb"}, choice="always") == ColourPolicy(16, cursor=False)
    assert ColourPolicy.of(True, {**XTERM, "FORCE_COLOR": "3"}, choice="never") == ColourPolicy(0, cursor=True)


def test_a_stream_is_asked_whether_it_is_a_terminal() -> None:
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb"), os.fdopen(follower, "w") as terminal:
        assert ColourPolicy.of(terminal, XTERM) == ColourPolicy(256, cursor=True)
    with open(os.devnull, "w") as file:
        assert ColourPolicy.of(file, XTERM) == ColourPolicy(0, cursor=False)


def test_a_page_has_all_colours_and_a_cursor() -> None:
    assert ColourPolicy.page() == ColourPolicy(TRUE, cursor=True)


def test_unknown_choices_and_depths_are_refused() -> None:
    with pytest.raises(UsageError, match="no choice 'allways' for colour: did you mean 'always'. known are auto, always, never"):
        ColourPolicy.of(True, {}, choice="allways")
    with pytest.raises(UsageError, match="depth is 8, but must be one of 0, 16, 256, 16777216"):
        ColourPolicy(8, cursor=True)


# -- Windows: only what can be tested without it -----------------------------------------------


@dataclass
class ScriptedConsole:
    mode: int | None
    accepts: bool = True
    asked: list[int] = field(default_factory=list)

    def get_mode(self) -> int | None:
        return self.mode

    def set_mode(self, mode: int) -> bool:
        self.asked.append(mode)
        return self.accepts


def test_a_console_is_switched_to_sequences_and_keeps_its_other_modes() -> None:
    console = ScriptedConsole(3)
    assert enable_virtual_terminal(console)
    assert console.asked == [7]


def test_a_console_that_has_them_is_left_alone() -> None:
    console = ScriptedConsole(7)
    assert enable_virtual_terminal(console)
    assert console.asked == []


def test_an_old_console_and_none_at_all_are_told() -> None:
    assert not enable_virtual_terminal(ScriptedConsole(3, accepts=False))
    assert not enable_virtual_terminal(ScriptedConsole(None))


@pytest.mark.skipif(sys.platform == "win32", reason="is about the others")
def test_elsewhere_nothing_has_to_be_switched() -> None:
    assert enable_virtual_terminal()
