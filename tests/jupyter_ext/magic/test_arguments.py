from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from jupyter_ext.magic.arguments import Arguments, help_text, option_names, parse


def test_defaults() -> None:
    assert parse("") == Arguments(target="local:")
    assert parse("--profile claude").target == "thread:"


def test_all_options_together() -> None:
    line = "thread:other --shell --detach --timeout 1.5 --out job --no-raise --plain --verbose --no-streaming"
    line += " --interactive --idle-timeout 2 --watch a --watch b --cwd /tmp --env A=1 --env B=x=y  # why"
    assert parse(line) == Arguments(
        target="thread:other",
        shell=True,
        detach=True,
        timeout=1.5,
        out="job",
        no_raise=True,
        verbose=True,
        no_streaming=True,
        cwd="/tmp",
        env=(("A", "1"), ("B", "x=y")),
        plain=True,
        interactive=True,
        idle_timeout=2,
        watch=("a", "b"),
    )
    assert parse("--profile claude --option model=opus").options == (("model", "opus"),)


def test_the_old_names_of_options_work_and_are_not_offered() -> None:
    with pytest.warns(DeprecationWarning, match="^--no-progress is deprecated: use --raw-bars$") as caught:
        assert parse("--no-progress").raw_bars
    assert caught[0].filename == "%%remote_stream"
    with pytest.warns(DeprecationWarning, match="^--set is deprecated: use --option$"):
        assert parse("--profile claude --set=model=opus").options == (("model", "opus"),)
    assert not {"--set", "--no-progress"} & {*option_names(), *help_text().split()}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--detatch", "unknown option --detatch; did you mean '--detach'"),
        ("--xyzzy", "unknown option --xyzzy; known: --as, "),
        ("thred:", "unknown target 'thred:'; did you mean 'thread:'"),
        ("thread:a thread:b", "unexpected argument 'thread:b'"),
        ("lcoal:", "did you mean 'local:'"),
        ("job", "unknown target 'job'; known: local:, thread:"),
        ("ssh://gpu", "known: local:, thread:"),
        ("--fresh", "--fresh requires --as JOB"),
        ("thread: --as job", "--as requires a session that outlives the kernel"),
        ("thread: --shell --python python3", "--python requires a session that outlives the kernel"),
        ("--timeout soon", "--timeout: 'soon' is not a positive number of seconds"),
        ("--timeout -1", "timeout"),
        ("--timeout nan", "'nan' is not a positive number of seconds"),
        ("--timeout", "expected one argument"),
        ("--out 1x", "'1x' is not a valid Python name"),
        ("--out 'un", "No closing quotation"),
        ("--det", "did you mean '--detach'"),
        ("thread: --cwd /tmp", "--cwd requires a command: add --shell, or leave out thread:"),
        ("--idle-timeout 3", "add --shell"),
        ("--shell --env A", "is not NAME=VALUE"),
        ("--shell --env =x", "is not NAME=VALUE"),
        ("--shell --no-tty --interactive", "leave out --no-tty"),
        ("--shell --option model=x", "--option requires --profile NAME"),
        ("--progress --raw-bars", "--progress and --raw-bars exclude each other"),
    ],
)
def test_a_usage_error_names_the_way_out(line: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("(", r"\(")):
        parse(line)


def test_help_names_every_option() -> None:
    assert all(option in help_text() for option in option_names())
