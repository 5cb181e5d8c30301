from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from jupyter_ext.arguments import Arguments, help_text, option_names, parse


def test_defaults() -> None:
    assert parse("") == Arguments(target="local:")
    assert parse("--profile claude").target == "thread:"


def test_all_options_together() -> None:
    line = "thread:other --shell --detach --timeout 1.5 --out job --no-raise --plain --verbose --no-streaming"
    line += " --interactive --idle-timeout 2 --watch a --watch b --cwd /tmp --env A=1 --env B=x=y  # why"
    assert parse(line) == Arguments(
        "thread:other",
        shell=True,
        detach=True,
        timeout=1.5,
        out="job",
        no_raise=True,
        plain=True,
        verbose=True,
        no_streaming=True,
        interactive=True,
        idle_timeout=2,
        watch=("a", "b"),
        cwd="/tmp",
        env=(("A", "1"), ("B", "x=y")),
    )
    assert parse("--profile claude --set model=opus").options == (("model", "opus"),)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--detatch", "did you mean --detach"),
        ("--xyzzy", "known are --shell"),
        ("thred:", "did you mean thread:"),
        ("thread:a thread:b", "does not know thread:b"),
        ("lcoal:", "did you mean local:"),
        ("job", "known are local: and thread:"),
        ("ssh://gpu", "known are local: and thread:"),
        ("--fresh", "add --as JOB"),
        ("thread: --as job", "--as needs a session that outlives the kernel"),
        ("thread: --shell --python python3", "--python needs a session that outlives the kernel"),
        ("--timeout soon", "--timeout: 'soon' is no number of seconds above 0"),
        ("--timeout -1", "timeout"),
        ("--timeout nan", "'nan' is no number of seconds above 0"),
        ("--timeout", "expected one argument"),
        ("--out 1x", "is not a name"),
        ("--out 'un", "No closing quotation"),
        ("--det", "did you mean --detach"),
        ("thread: --cwd /tmp", "--cwd is for commands: add --shell, or leave out thread:"),
        ("--idle-timeout 3", "add --shell"),
        ("--shell --env A", "is not NAME=VALUE"),
        ("--shell --env =x", "is not NAME=VALUE"),
        ("--shell --no-tty --interactive", "leave out --no-tty"),
        ("--shell --set model=x", "--set is for --profile"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error_that_helps(line: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("(", r"\(")):
        parse(line)


def test_help_names_every_option() -> None:
    assert all(option in help_text() for option in option_names())
