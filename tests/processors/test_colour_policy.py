from __future__ import annotations

import os
import pty

import pytest

from pyrepl_stream.processors.colour_policy import ColourPolicy
from pyrepl_stream.runtime.errors import UsageError

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
def test_the_environment_determines_the_colours_of_a_terminal(environ: dict[str, str], depth: int) -> None:
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
def test_a_stream_that_is_not_a_terminal_has_no_cursor_and_colours_only_if_forced(
    environ: dict[str, str], depth: int
) -> None:
    assert ColourPolicy.of(False, environ) == ColourPolicy(depth, cursor=False)


def test_a_choice_overrides_the_environment() -> None:
    assert ColourPolicy.of(False, {**XTERM, "NO_COLOR": "1"}, choice="always") == ColourPolicy(
        256, cursor=False
    )
    assert ColourPolicy.of(True, {"TERM": "dumb"}, choice="always") == ColourPolicy(16, cursor=False)
    assert ColourPolicy.of(True, {**XTERM, "FORCE_COLOR": "3"}, choice="never") == ColourPolicy(
        0, cursor=True
    )


def test_isatty_of_the_stream_decides() -> None:
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb"), os.fdopen(follower, "w") as terminal:
        assert ColourPolicy.of(terminal, XTERM) == ColourPolicy(256, cursor=True)
    with open(os.devnull, "w") as file:
        assert ColourPolicy.of(file, XTERM) == ColourPolicy(0, cursor=False)


def test_a_page_has_all_colours_and_a_cursor() -> None:
    assert ColourPolicy.page() == ColourPolicy(TRUE, cursor=True)


def test_unknown_choices_and_depths_are_refused() -> None:
    with pytest.raises(
        UsageError,
        match="'allways' is not a choice for colour; did you mean 'always'",
    ):
        ColourPolicy.of(True, {}, choice="allways")
    with pytest.raises(UsageError, match="depth is 8, but must be one of 0, 16, 256, 16777216"):
        ColourPolicy(8, cursor=True)
