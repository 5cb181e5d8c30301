"""Profiles: their files, command lines and error messages, and the recognition of rejected flags."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrepl_stream import Session
from pyrepl_stream.config.files import user_file
from pyrepl_stream.processors import processors_by_name
from pyrepl_stream.profiles import Profile, find_profile, load_profiles, rejected_flag
from pyrepl_stream.runtime.errors import UsageError


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file, which does not exist yet."""
    monkeypatch.setenv("PYREPL_STREAM_CONFIG_DIR", str(tmp_path))
    return tmp_path / "profiles.toml"


TOOL = Profile(
    "tool",
    ("tool", "run"),
    flags=(("--format", "json"), ("--verbose",)),
    prompt="argument",
    options={"model": ("--model", "{value}"), "level": ("--level={value}",)},
)


# -- the files ---------------------------------------------------------------------------------


def test_claude_gets_its_prompt_on_standard_input() -> None:
    claude = find_profile("claude")
    assert claude.command_line("hi") == ["claude", "-p", "--output-format", "stream-json", "--verbose"]
    assert claude.command_line("hi", options={"model": "opus"})[-2:] == ["--model", "opus"]
    assert claude.stdin("hi") == "hi"
    assert (claude.pty, claude.stderr, claude.activity, claude.watch) == (False, "pipe", ("output",), ())


def test_cline_gets_its_prompt_as_the_last_argument_and_its_tasks_are_watched() -> None:
    cline = find_profile("cline")
    words = cline.command_line("fix it", options={"model": "m"}, arguments=["-p"])
    assert words == ["cline", "--json", "--model", "m", "-p", "fix it"]
    assert cline.stdin("fix it") == ""
    assert (cline.watch, cline.activity) == (("~/.cline/data/sessions/<new>",), ("output", "files"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("codex", ["codex", "exec", "--json", "--sandbox", "read-only"]),
        ("gemini", ["gemini", "--output-format", "stream-json", "--approval-mode", "plan"]),
    ],
)
def test_codex_and_gemini_get_their_prompt_on_standard_input(name: str, words: list[str]) -> None:
    profile, option = find_profile(name), words[-2].removeprefix("--")
    assert profile.command_line("--help", options={option: words[-1]}) == words
    assert profile.stdin("--help") == "--help"


# Each as the tool prints it, but for most of its fields. The types are those of claude 2.1, cline 3.0, codex
# 0.171 and gemini 0.61.
PRINTED = {
    "claude": [
        '{"type":"system","subtype":"init","cwd":"/tmp","tools":["Bash","Edit"],"model":"some-model"}',
        '{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"{\\"a\\": 1}"}]}}',
        '{"type":"assistant","message":{"content":[{"type":"tool_use","name":"Bash","input":{"command":"ls"}}]}}',
        '{"type":"user","message":{"content":[{"type":"tool_result","content":"a\\nb"}]}}',
        '{"type":"result","subtype":"success","is_error":false,"result":"done","total_cost_usd":0.000075}',
    ],
    "cline": [
        '{"ts":"2026-11-30T16:24:33.430Z","type":"hook_event","hookEventName":"agent_start"}',
        '{"ts":"2026-11-30T16:24:33.613Z","type":"agent_event","event":{"type":"content_start","text":"pong"}}',
        '{"ts":"2026-11-30T16:24:33.762Z","type":"run_result","finishReason":"completed","text":"pong"}',
        '{"ts":"2026-11-30T16:24:50.998Z","type":"error","message":"invalid key"}',
    ],
    "codex": [
        '{"type":"thread.started","thread_id":"01a22d46"}',
        '{"type":"turn.started"}',
        '{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"pong"}}',
        '{"type":"turn.completed","usage":{"input_tokens":5,"output_tokens":2}}',
        '{"type":"turn.failed","error":{"message":"unexpected status 401 Unauthorized"}}',
    ],
    "gemini": [
        '{"type":"init","timestamp":"2026-11-30T16:25:41.709Z","session_id":"22dfb7b7","model":"auto"}',
        '{"type":"message","role":"assistant","content":"pong","delta":true}',
        '{"type":"tool_use","tool_name":"list_directory","tool_id":"1","parameters":{"dir_path":"."}}',
        '{"type":"tool_result","tool_id":"1","status":"success","output":"Listed 2 item(s)."}',
        '{"type":"result","status":"success","stats":{"total_tokens":7,"tool_calls":1}}',
    ],
}


def test_what_each_tool_prints_becomes_events() -> None:
    assert set(load_profiles()) == set(PRINTED)
    for name, lines in PRINTED.items():
        with Session() as session:
            printing = f"print({chr(10).join(lines)!r})"
            make = processors_by_name(find_profile(name).processors)
            result = session.execute(printing, processors=make).wait()
        assert [event.data for event in result.events] == [json.loads(line) for line in lines]
        assert [event.name for event in result.events] == [json.loads(line)["type"] for line in lines]
        assert result.stdout == ""


def test_the_user_can_add_and_replace_profiles(config: Path) -> None:
    config.write_text(
        '[claude]\ncommand = ["my-claude"]\n'
        '[tool]\ncommand = ["tool"]\nflags = [["-f", "x"]]\nprompt = "none"\nprocessors = []\nwatch = []\n'
        'timeout = 60\nidle_timeout = 1.5\nwatch_interval = 0.2\npty = true\nstderr = "pty"\n'
        'env = { NO_COLOR = "1" }\noptions = { n = ["-n{value}"] }\n'
    )
    found = load_profiles()
    assert found["claude"] == Profile("claude", ("my-claude",))
    assert found["tool"] == Profile(
        "tool",
        ("tool",),
        flags=(("-f", "x"),),
        timeout=60.0,
        idle_timeout=1.5,
        watch_interval=0.2,
        pty=True,
        stderr="pty",
        env={"NO_COLOR": "1"},
        options={"n": ("-n{value}",)},
    )
    assert set(found) == {*PRINTED, "tool"}
    assert hash(found["tool"])


def test_the_file_is_read_anew_each_time(config: Path) -> None:
    load_profiles()
    config.write_text('[tool]\ncommand = ["tool"]\n')
    assert find_profile("tool").command == ("tool",)


def test_the_directory_is_that_of_the_platform_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYREPL_STREAM_CONFIG_DIR", "~/there")
    assert user_file("profiles.toml") == Path.home() / "there" / "profiles.toml"
    monkeypatch.setenv("PYREPL_STREAM_CONFIG_DIR", "")
    assert user_file("profiles.toml") == platformdirs.user_config_path("pyrepl-stream") / "profiles.toml"


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(config: Path) -> None:
    config.write_bytes(b'\xef\xbb\xbf[tool]\r\ncommand = ["tool"]\r\n')
    assert "tool" in load_profiles()


def test_an_unknown_profile_is_refused_with_a_suggestion_and_the_file_to_add_one_to(config: Path) -> None:
    with pytest.raises(UsageError) as refused:
        find_profile("claud")
    assert str(refused.value) == (
        f"there is no profile 'claud'; did you mean 'claude'? (add your own to {config})"
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[tool]\ncommand = [\n", " is not TOML: .*line 2"),
        ("[tool]\ncommand = tool\n", r" is not TOML: .*line 2, column 11"),
        ("[tool]\ncommand = ['a']\n[tool]\n", " is not TOML: .*line 3"),
        (f"n = {'9' * 5000}", " is not TOML: "),
        ("a = " + "[" * 100_000, "(is nested too deeply|is not TOML)"),
        (
            "command = ['a']",
            r"profile 'command': must be a table, not \['a'\]: begin a profile with \[name\]",
        ),
        ("['a b']\ncommand = ['a']", "profile 'a b': the name may only contain letters, digits, '-' and '_'"),
        ("[tool]", "profile 'tool': `command` is missing: .*such as command = "),
        (
            "[tool.sub]\ncommand = ['a']",
            "profile 'tool': unknown key 'sub'; known: activity, command, env",
        ),
    ],
)
def test_an_invalid_file_is_refused_with_file_and_line(config: Path, text: str, error: str) -> None:
    config.write_text(text)
    with pytest.raises(UsageError, match=error) as refused:
        load_profiles()
    assert str(refused.value).startswith(str(config))


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("flag = [['-v']]", "unknown key 'flag'; did you mean 'flags'\\?"),
        ("command = 'tool'", "`command` must be a list of words, such as .* not 'tool'"),
        ("command = []", "`command` must be a list of words, such as .* not \\[\\]"),
        ("command = ['tool', 1]", "`command` contains 1, but must contain text"),
        ("command = ['']", "`command` begins with an empty word"),
        ('command = ["a\\u0000b"]', "`command` contains a NUL character"),
        (
            "flags = ['--verbose']",
            "`flags` must be a list of flags with their values, such as .* not \\['--verbose'\\]",
        ),
        ("flags = [[]]", "`flags` must be a list of words, such as .* not \\[\\]"),
        ("flags = [['verbose']]", "`flags` contains 'verbose', which is not a flag"),
        ("prompt = 'arg'", "`prompt` must be one of 'stdin', 'argument', 'none', not 'arg'"),
        ("prompt = ['stdin']", "`prompt` must be one of .* not \\['stdin'\\]"),
        ("options = ['--model']", "`options` must be a table, such as \\{ model = .* not \\['--model'\\]"),
        (
            "options = { model = '--model' }",
            "`options` at 'model' must be a list of words, such as .* not '--model'",
        ),
        (
            "options = { model = ['--model'] }",
            "`options` at 'model' lacks \\{value\\}",
        ),
        ("processors = ['json_line']", "`processors` contains 'json_line'; did you mean 'json_lines'"),
        ("processors = 'json_lines'", "`processors` must be a list of words, such as .* not 'json_lines'"),
        (
            "watch = ['~/<new>/log']",
            "`watch` contains '~/<new>/log', but <new> may only be the last component",
        ),
        ("watch = ['~/x<new>']", "<new> may only be the last component"),
        ("watch = ['']", "`watch` contains an empty path"),
        ("activity = ['file']", "`activity` contains 'file'; did you mean 'files'\\?"),
        ("activity = []", "`activity` must be a list of words, such as .* not \\[\\]"),
        ("activity = ['files']", '`activity` "files" needs the paths to watch'),
        (
            "timeout = -1",
            "`timeout` must be more than 0 and at most 1e9 seconds, not -1: leave it out for no limit",
        ),
        ("timeout = 0", "`timeout` must be more than 0 .* not 0"),
        ("timeout = nan", "`timeout` must be more than 0 .* not nan"),
        ("timeout = inf", "`timeout` must be more than 0 .* not inf"),
        (f"timeout = 1{'0' * 400}", "`timeout` must be more than 0 .* not 10+\\.\\.\\."),
        ("timeout = '5'", "`timeout` must be a number of seconds, such as 600, not '5'"),
        ("idle_timeout = true", "`idle_timeout` must be a number of seconds, such as 600, not True"),
        ("watch_interval = 0", "`watch_interval` must be more than 0 .* for 1 second"),
        ("pty = 'yes'", "`pty` must be true or false, not 'yes'"),
        ("stderr = 'both'", "`stderr` must be one of 'merge', 'pty', 'pipe', not 'both'"),
        ("stderr = 'pty'", '`stderr` "pty" needs pty = true'),
        ("env = ['A']", "`env` must be a table, such as .* not \\['A'\\]"),
        ("env = { A = 1 }", "`env` at 'A' contains 1, but must contain text, such as A = \"1\""),
        ("env = { 'A=B' = '1' }", "`env` contains 'A=B', which is not a valid name of a variable"),
    ],
)
def test_an_invalid_key_is_refused_with_file_profile_key_and_remedy(
    config: Path, line: str, error: str
) -> None:
    command = "" if line.startswith("command") else "command = ['tool']\n"
    config.write_text(f"[tool]\n{command}{line}\n")
    with pytest.raises(UsageError, match=error) as refused:
        load_profiles()
    assert str(refused.value).startswith(f"{config}: profile 'tool': ")


def test_a_file_that_cannot_be_read_is_refused(config: Path) -> None:
    config.write_bytes(b"[tool]\n# \xff\n")
    with pytest.raises(UsageError, match="line 2 is not UTF-8: save the file as UTF-8"):
        load_profiles()
    config.unlink()
    config.mkdir()
    with pytest.raises(UsageError, match=r"profiles.toml cannot be read: Is a directory"):
        load_profiles()


# -- command lines -----------------------------------------------------------------------------


def test_options_and_arguments_come_after_the_flags_and_before_the_prompt() -> None:
    words = TOOL.command_line("go", options={"model": "m {x}", "level": "-1"}, arguments=["-q"])
    assert words == [
        "tool",
        "run",
        "--format",
        "json",
        "--verbose",
        "--model",
        "m {x}",
        "--level=-1",
        "-q",
        "go",
    ]


def test_a_flag_is_left_out_with_its_values() -> None:
    assert TOOL.command_line("go", without={"--format"}) == ["tool", "run", "--verbose", "go"]
    assert TOOL.command_line("go", without=["--format", "--verbose"]) == ["tool", "run", "go"]


def test_a_profile_without_a_prompt_refuses_one() -> None:
    tool = Profile("tool", ("tool",))
    assert tool.command_line("") == ["tool"]
    assert tool.stdin("text") == ""
    with pytest.raises(
        UsageError, match="profile 'tool': it does not accept a prompt: pass the text in `arguments`"
    ):
        tool.command_line("text")


@pytest.mark.parametrize("name", PRINTED)
@pytest.mark.parametrize("prompt", ["", " \n"])
def test_a_missing_prompt_is_refused(name: str, prompt: str) -> None:
    with pytest.raises(
        UsageError, match=f"profile '{name}': the prompt is missing: describe what the tool should do"
    ):
        find_profile(name).command_line(prompt)


def test_a_prompt_that_would_be_taken_for_a_flag_is_refused() -> None:
    for prompt in ("--help", "- a list\n- of things"):
        with pytest.raises(
            UsageError, match="profile 'tool': a prompt that begins with '-' would be taken for a flag"
        ):
            TOOL.command_line(prompt)
        assert TOOL.command_line(prompt, arguments=["--"])[-2:] == ["--", prompt]
        assert find_profile("claude").stdin(prompt) == prompt
        find_profile("claude").command_line(prompt)
    assert TOOL.command_line(" - a list")[-1] == " - a list"


def test_an_option_value_that_would_be_taken_for_a_flag_is_refused() -> None:
    with pytest.raises(
        UsageError, match="the value '--yolo' of the option 'model' would be taken for a flag"
    ):
        TOOL.command_line("go", options={"model": "--yolo"})


def test_an_unknown_option_or_flag_is_refused_with_a_suggestion() -> None:
    with pytest.raises(UsageError, match="no option 'modle'; did you mean 'model'\\?"):
        TOOL.command_line("go", options={"modle": "m"})
    with pytest.raises(UsageError, match="no option 'model'; none are known"):
        Profile("bare", ("bare",)).command_line("", options={"model": "m"})
    with pytest.raises(UsageError, match="no flag '--verbos' to leave out; did you mean '--verbose'\\?"):
        TOOL.command_line("go", without=["--verbos"])
    with pytest.raises(UsageError, match="the option 'level' must be text, not 3"):
        TOOL.command_line("go", options={"level": 3})  # type: ignore[dict-item]  # refused at run time


def test_arguments_that_no_program_can_get_are_refused() -> None:
    with pytest.raises(UsageError, match="an argument contains a NUL character"):
        TOOL.command_line("a\0b")
    with pytest.raises(UsageError, match="an argument contains a NUL character"):
        TOOL.command_line("go", arguments=["\0"])
    assert find_profile("claude").command_line("a\0b"), "standard input may contain it"
    with pytest.raises(UsageError, match="a prompt of 131072 bytes is too long for an argument"):
        TOOL.command_line("é" * 65536)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is that of Linux")
def test_the_longest_prompt_can_be_passed() -> None:
    python = Profile(
        "python", (sys.executable, "-c", "import sys; print(len(sys.argv[1]))"), prompt="argument"
    )
    assert subprocess.check_output(python.command_line("x" * 131071), text=True) == "131071\n"


# -- rejected flags ---------------------------------------------------------------------------

# Recorded from commander 14.0.3, yargs 18, clap (ruff, cargo) and pflag (docker); others as documented.
RECORDED = [
    ("--nope", "error: unknown option '--nope'\n"),
    ("--nope", "error: unknown option '--nope'\n(Did you mean --node?)\n"),
    ("--nope", "error: unknown option '--nope=json'\n"),
    ("-z", "error: unknown option '-z'\n"),
    ("--nope", "Options:\n  --help  Show help  [boolean]\n\nUnknown argument: nope\n"),
    ("--nope-it", "Unknown arguments: other, nope-it, nopeIt\n"),
    (
        "--nope",
        "error: unexpected argument '--nope' found\n\n  tip: a similar argument exists: '--no-preview'\n",
    ),
    ("--nope", "\x1b[1m\x1b[31merror:\x1b[0m unexpected argument '\x1b[33m--nope\x1b[0m' found\n"),
    ("--nope", "error: Found argument '--nope' which wasn't expected, or isn't valid in this context\n"),
    ("--nope", "Error: unknown flag: --nope\nUsage:\n  tool [flags]\n"),
    ("--nope", "2018/09/21 11:15:34 Fatal error: unknown flag: --nope\n"),
    ("-Z", "unknown shorthand flag: 'Z' in -Z\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n"),
    ("-nope", "Error: unknown shorthand flag: 'n' in -nope\n"),
    ("--nope", "flag provided but not defined: -nope\nUsage of ./tool:\n  -fork=false: a bool\n"),
    ("--nope", "Incorrect Usage: flag provided but not defined: -nope\n"),
    ("--nope", "Error: No such option: --nope\n"),
    ("--nope", "Error: No such option: --nope Did you mean --node?\r\n"),
    ("--nope", "Error: No such option: --nope (Possible options: --node, --nose)\n"),
    ("--nope", "╭─ Error ────╮\n│ No such option: --nope Did you mean --node? │\n╰────╯\n"),
    ("--nope", "Usage: tool [options]\n\ntool: error: no such option: --nope\n"),
    ("--nope", "usage: tool sub [-h]\ntool sub: error: unrecognized arguments: --other 1 --nope x\n"),
    (
        "--nope",
        "TypeError [ERR_PARSE_ARGS_UNKNOWN_OPTION]: Unknown option '--nope'. To specify a positional\n",
    ),
    ("--nope", "/bin/ls: unrecognized option: nope\nBusyBox v1.36 multi-call binary.\n"),
    ("-Y", "ls: invalid option -- 'Y'\n"),
    ("-Y", "ls: illegal option -- Y\nusage: ls [-@ABCFG]\n"),
    ("--nope", "error: unknown option `nope'\nusage: git commit [-a]\n"),
    ("--nope", "gcc: error: unrecognized command-line option ‘--nope’\n"),
    ("--nope", " ›   Error: Nonexistent flag: --nope\n ›   See more help with --help\n"),
    ("--nope", "node: bad option: --nope\n"),
]


@pytest.mark.parametrize(("flag", "output"), RECORDED)
def test_a_rejection_is_recognized(flag: str, output: str) -> None:
    flags = ["--verbose", "--no", "--nope-", "-n", flag]
    assert rejected_flag(output, flags) == flag
    assert rejected_flag("Starting\n" + output.replace("\n", "\r\n"), flags) == flag
    assert rejected_flag(output, [f"{flag}=json"]) == f"{flag}=json", "as the profile spells it"
    assert rejected_flag(output, flags[:-1]) is None, "only the given flags"


@pytest.mark.parametrize(
    "output",
    [
        "",
        "--nope",
        "I ran it with --nope, and it failed.",
        "The unknown option '--nope' was the reason.",
        "Unknown option --nope was removed in 2.0",
        "It said: error: unknown option '--nope'",
        '{"type": "error", "text": "error: unknown option \'--nope\'"}',
        "`error: unknown option '--nope'`",
        "- error: unknown option '--nope'",
        "    raise UsageError(\"unknown option '--nope'\")",
        "error: option '--nope <value>' argument 'x' is invalid. Allowed choices are text, json.",
        "tool: error: argument --nope: invalid choice: 'x' (choose from 'text', 'json')",
        "tool: error: argument --nope: expected one argument",
        "error: invalid value 'x' for '--nope <NOPE>'",
        "error: the argument '--nope' cannot be used with '--other'",
        'Error: invalid argument "x" for "--nope" flag: strconv.ParseInt',
        "Error: Option '--nope' requires an argument.",
        "ls: option '--nope' is ambiguous; possibilities: '--nope-it' '--nopes'",
        "error: unexpected argument 'nope' found",
        "tool: error: unrecognized arguments: please explain --nope",
        "error: unknown option '--nope-it'",
        "error: unknown option '--nop'",
        "error: unknown command 'nope'",
        "Error: When using --print, --output-format=stream-json requires --nope",
        "  --nope   unknown option handling: --nope",
    ],
)
def test_text_that_only_mentions_a_flag_is_not_a_rejection(output: str) -> None:
    assert rejected_flag(output, ["--nope", "--output-format"]) is None


def test_the_exact_flag_is_preferred_to_one_with_other_dashes() -> None:
    assert rejected_flag("unknown flag: -x", ["--x", "-x"]) == "-x"
    assert rejected_flag("flag provided but not defined: -x", ["--x"]) == "--x"
    assert rejected_flag("unknown flag: --x", ["-x"]) is None


def test_the_first_rejection_of_a_known_flag_counts() -> None:
    output = "error: unknown option '--mine'\nerror: unknown option '--b'\nerror: unknown option '--a'\n"
    assert rejected_flag(output, iter(["--a", "--b"])) == "--b"


HERE = [
    ([sys.executable, "-c", "import argparse; argparse.ArgumentParser().parse_args()"], "--nope"),
    ([sys.executable, "-c", "import optparse; optparse.OptionParser().parse_args()"], "--nope"),
    ([sys.executable, "-c", "import click; click.command()(lambda: None)()"], "--nope"),
    ([sys.executable, "-m", "pytest"], "--nope"),
    (["ls"], "--nope"),
    (["sort"], "-Y"),
    (["bash"], "--nope"),
    (["git"], "--nope"),
    (["git", "init"], "--nope"),
    (["git", "init"], "-Y"),
    (["curl"], "--nope"),
    (["node"], "--nope"),
    (["node", "-e", "require('util').parseArgs({options: {}})", "--"], "--nope"),
    ([str(Path(sys.executable).with_name("ruff")), "check"], "--nope"),
    (["cargo"], "--nope"),
    (["docker"], "--nope"),
    (["docker"], "-Y"),
]


def _runs(program: str) -> bool:
    """Return False for a placeholder of a program that was never set up, such as those of rustup."""
    return (
        subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    )


@pytest.mark.skipif(sys.platform != "linux", reason="recorded texts stand for the tools of other systems")
@pytest.mark.parametrize(
    ("command", "flag"), HERE, ids=lambda value: value if isinstance(value, str) else value[0]
)
def test_the_messages_of_real_parsers_are_recognized(command: list[str], flag: str, tmp_path: Path) -> None:
    if shutil.which(command[0]) is None or not _runs(command[0]):
        pytest.skip(f"{command[0]} does not run here")
    if "click" in command[-1]:
        pytest.importorskip("click")
    for color in ("0", "1"):
        env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"LC_ALL": "C"}
        if color == "1":
            env |= {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}
        ended = subprocess.run(
            [*command, flag],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            cwd=tmp_path,
            env=env,
            check=False,
        )
        assert ended.returncode != 0
        output = ended.stdout + ended.stderr
        assert rejected_flag(output, ["--other", flag]) == flag, output
        assert rejected_flag(output, ["--help", "-h", "--verbose"]) is None, output


# -- hostile output ----------------------------------------------------------------------------

MEGABYTE = 1 << 20
JUNK = [
    "x",
    "\n",
    "x\n",
    "--nop",
    "error",
    "error: ",
    "1 ",
    "w w: ",
    "'",
    "-",
    " │",
    "\x1b[",
    "\x1b]0",
    "unknown option ",
    "unknown option --nop, ",
    "unknown option --a.",
    "unknown option '--a=",
    "option --a: ",
    "error: unrecognized arguments: -y ",
    "error: unknown option '--nop'\n",
]


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("start", ["", "error: unknown option --a", "tool: error: unrecognized arguments: -"])
def test_a_megabyte_of_junk_takes_linear_time(junk: str, start: str) -> None:
    output = start + junk * (MEGABYTE // len(junk))
    started = time.process_time()
    assert rejected_flag(output, ["--nope", "--verbose"]) is None
    assert time.process_time() - started < 5


WORDS = (
    st.sampled_from(["unknown option ", "error: ", "--nope", "-n", "'", "\n", "\x1b[1m", ", ", ":"])
    | st.text()
)


@given(st.lists(WORDS).map("".join))
def test_any_text_gives_one_of_the_given_flags_or_none(output: str) -> None:
    assert rejected_flag(output, ["--nope", "-n"]) in ("--nope", "-n", None)
