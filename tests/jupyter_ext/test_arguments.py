from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from jupyter_ext.arguments import Arguments, help_text, option_names, parse


def test_defaults() -> None:
    assert parse("") == Arguments(target="thread:")


def test_all_options_together() -> None:
    line = "thread:other --shell --detach --timeout 1.5 --out job --no-raise --plain  # why"
    assert parse(line) == Arguments("thread:other", True, True, 1.5, "job", True, True)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--detatch", "did you mean --detach"),
        ("--xyzzy", "known are --shell"),
        ("thred:", "did you mean thread:"),
        ("thread:a thread:b", "does not know thread:b"),
        ("ssh://gpu", "known are thread: and thread:NAME"),
        ("--timeout soon", "invalid"),
        ("--timeout -1", "timeout"),
        ("--timeout nan", "invalid"),
        ("--timeout", "expected one argument"),
        ("--out 1x", "is not a name"),
        ("--out 'un", "No closing quotation"),
        ("--det", "did you mean --detach"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_that_helps(line: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("(", r"\(")):
        parse(line)


def test_help_names_every_option() -> None:
    assert all(option in help_text() for option in option_names())
