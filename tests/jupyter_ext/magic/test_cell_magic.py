"""The magic with thread targets, in real kernels: ipykernel 6.30, 7.3 and the newest."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from support.kernels import Cell, Kernel, is_alive

pytestmark = pytest.mark.kernel


def plain(text: str) -> str:
    """Return the text without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def test_the_kernels_are_of_three_generations(any_kernel: Kernel, request: pytest.FixtureRequest) -> None:
    version = any_kernel.run("import ipykernel; print(ipykernel.__version__)").text().strip()
    wanted = request.node.callspec.params["any_kernel"]
    assert version == wanted or (wanted == "newest" and version not in ("6.30.1", "7.3.0"))


def test_output_comes_while_the_cell_runs(any_kernel: Kernel) -> None:
    # The cell waits for a file that is made here when its first line has arrived.
    made = []

    def on_message(message: dict, cell: Cell) -> None:
        if "first" in cell.text() and not made:
            made.append(Path(cell_file).write_text("go"))

    cell_file = any_kernel.run("import os; print(os.path.abspath('go-file'))").text().strip()
    Path(cell_file).unlink(missing_ok=True)
    cell = any_kernel.run(
        "%%remote_stream thread:\nimport os, time\nprint('first')\n"
        "while not os.path.exists('go-file'): time.sleep(0.01)\nprint('second')",
        on_message=on_message,
    )
    assert cell.ok
    assert cell.text() == "first\nsecond\n"


def test_thread_target_shares_the_namespace_of_the_notebook(any_kernel: Kernel) -> None:
    assert any_kernel.run("before = 5").ok
    cell = any_kernel.run("%%remote_stream thread:\nafter = before + 1\nafter * 2")
    assert cell.of("execute_result")[0]["data"] == {"text/plain": "12"}
    assert any_kernel.run("print(after)").text() == "6\n"


def test_named_thread_target_has_a_namespace_of_its_own(any_kernel: Kernel) -> None:
    assert any_kernel.run("mine = 1").ok
    assert not any_kernel.run("%%remote_stream thread:other\nmine").ok
    assert any_kernel.run("%%remote_stream thread:other\nkept = 2").ok
    assert any_kernel.run("%%remote_stream thread:other\nprint(kept)").text() == "2\n"


def test_result_has_the_number_of_its_cell(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream thread:\n1")
    assert cell.of("execute_result")[0]["execution_count"] == cell.reply["execution_count"]


def test_failure_fails_the_cell_with_the_traceback_of_the_code_only(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream thread:\ndef f():\n    1/0\nf()")
    assert not cell.ok
    assert (cell.reply["ename"], cell.reply["evalue"]) == ("ZeroDivisionError", "division by zero")
    text = plain(cell.traceback)
    count = cell.reply["execution_count"]
    assert re.findall(r"Cell In\[(\d+)\], line (\d)", text) == [(str(count), "3"), (str(count), "2")]
    assert "1/0" in text
    assert "pyrepl_stream" not in cell.traceback
    assert "jupyter_ext" not in cell.traceback
    assert "get_ipython" not in cell.traceback


def test_no_raise_shows_the_failure_and_succeeds(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream thread: --no-raise\n1/0")
    assert cell.ok
    assert "ZeroDivisionError: division by zero" in plain(cell.text("stderr"))


def test_no_raise_names_a_timeout(any_kernel: Kernel) -> None:
    code = "%%remote_stream thread: --no-raise --timeout 0.2\nwhile True: pass"
    assert "the run took longer than 0.2 s" in any_kernel.run(code).text("stderr")


def test_syntax_error_fails_the_cell(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream thread:\nx = (1,\ny")
    assert cell.reply["ename"] == "SyntaxError"


@pytest.mark.parametrize("before", ["", "%%time\n"], ids=["awaited", "blocking"])
def test_interrupt_stops_the_code_and_keeps_the_namespace(any_kernel: Kernel, before: str) -> None:
    cell = any_kernel.run(
        before + "%%remote_stream thread:\nreached = 7\nprint('go')\nwhile True: pass",
        on_message=any_kernel.interrupt_on("go"),
    )
    assert not cell.ok
    assert cell.reply["ename"] == "KeyboardInterrupt"
    assert "while True: pass" in plain(cell.traceback)
    assert any_kernel.run("print(reached)").text() == "7\n"


def test_interrupt_cancels_code_that_awaits(any_kernel: Kernel) -> None:
    cell = any_kernel.run(
        "%%remote_stream thread:\nimport asyncio\nprint('go')\nawait asyncio.sleep(1000)",
        on_message=any_kernel.interrupt_on("go"),
    )
    assert cell.reply["ename"] == "KeyboardInterrupt"


@pytest.mark.parametrize("before", ["", "%%time\n"], ids=["awaited", "blocking"])
def test_interrupt_of_a_shell_cell_leaves_no_child(any_kernel: Kernel, before: str) -> None:
    cell = any_kernel.run(
        before + "%%remote_stream --shell\n"
        "trap '' INT\n(trap '' INT TERM; echo $BASHPID; sleep 1000) &\necho $$ go\nsleep 1000; sleep 1000",
        on_message=any_kernel.interrupt_on("go"),
    )
    assert cell.reply["ename"] == "KeyboardInterrupt"
    pids = [int(pid) for pid in re.findall(r"^(\d+)(?: go)?$", cell.text(), re.MULTILINE)]
    assert len(pids) == 2
    assert not [pid for pid in pids if is_alive(pid)]


def test_shell_cell_streams_and_fails_by_its_exit_code(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream --shell --no-tty\necho out; echo err >&2; exit 4")
    assert (cell.text(), cell.text("stderr")) == ("out\n", "err\n")
    assert not cell.ok
    assert "exited with 4" in cell.reply["evalue"]


def test_braces_and_dollars_are_not_expanded(any_kernel: Kernel) -> None:
    assert any_kernel.run("name = 'expanded'").ok
    cell = any_kernel.run("%%remote_stream --shell\necho '{name}' '$name'")
    assert cell.text() == "{name} $name\n"
    assert "{name}" in any_kernel.run("%%remote_stream {name}\n1").text("stderr")


def test_timeout_fails_the_cell(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream thread: --timeout 0.2\nwhile True: pass")
    assert cell.reply["ename"] == "TimeoutError"
    assert "0.2 s" in cell.reply["evalue"]


def test_detached_output_comes_to_its_own_cell_while_another_runs(any_kernel: Kernel) -> None:
    client = any_kernel.client
    cell = any_kernel.run(
        "%%remote_stream thread: --detach --out job\nimport os, time\n"
        "while 'release' not in globals(): time.sleep(0.01)\nprint('late')\n'value'"
    )
    assert cell.ok
    assert "runs detached" in cell.text()
    seen: dict[str, str] = {}
    (first,) = (content["transient"]["display_id"] for content in cell.of("display_data"))
    client.execute("release = True\nprint('other')\nwhile job.status == 'running': time.sleep(0.01)")
    while "late" not in seen or "value" not in seen or "other" not in seen:
        message = client.get_iopub_msg(timeout=30)
        text = message["content"].get("text", "") or str(message["content"].get("data", ""))
        for word in ("late", "value", "other"):
            if word in text and message["msg_type"] in ("stream", "update_display_data"):
                seen[word] = message["content"].get("transient", {}).get("display_id", "")
    assert seen == {"late": first, "value": first, "other": ""}
    assert any_kernel.run("print(job.status, job.stdout.strip(), job.result)").text() == "ok late 'value'\n"


def test_late_thread_prints_to_the_cell_that_started_it(any_kernel: Kernel) -> None:
    # The thread survives its cell; its output belongs to the execution, and not to the later cell.
    assert any_kernel.run(
        "%%remote_stream thread: --out owner\nimport threading, time\n"
        "def late():\n    while 'go_on' not in globals(): time.sleep(0.01)\n    print('from the thread')\n"
        "thread = threading.Thread(target=late); thread.start()"
    ).ok
    other = any_kernel.run("go_on = True\nthread.join()\nprint('mine')\ndel go_on")
    assert other.text() == "mine\n"
    got = any_kernel.run("print([m.data async for m in owner.attach(2) if m.type == 'output'])")
    follow = any_kernel.run(
        "text = ''\nasync for m in owner.attach(follow=True):\n    if m.type == 'output':\n        text += m.data\n"
        "    if text.endswith('\\n'):\n        print(text); break"
    )
    assert got.ok
    assert follow.text() == "from the thread\n\n"


def test_out_binds_the_execution_at_the_start(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream thread: --out bound\nprint(bound.status)\n'r'")
    assert cell.text() == "running\n"
    assert any_kernel.run("print(bound.stdout, bound.result, bound.success)").text() == "running\n 'r' True\n"


def test_unknown_option_names_the_nearest_known(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream --detatch\n1")
    assert not cell.ok
    assert "did you mean '--detach'?" in cell.text("stderr")


def test_a_deprecated_option_works_and_is_reported(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream thread: --no-progress --plain\nprint('x')")
    assert (cell.ok, cell.text()) == (True, "x\n")
    assert "DeprecationWarning: --no-progress is deprecated: use --raw-bars" in cell.text("stderr")


def test_comment_before_the_magic_gets_a_hint(any_kernel: Kernel) -> None:
    cell = any_kernel.run("# a comment\n%%remote_stream thread:\n1")
    assert not cell.ok
    assert "must be the first line" in cell.text("stderr")


def test_blank_lines_before_the_magic_are_allowed(any_kernel: Kernel) -> None:
    assert any_kernel.run("\n\n%%remote_stream thread:\nprint('x')").text() == "x\n"


def test_time_around_the_magic_measures_the_whole_run(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%time\n%%remote_stream thread:\nprint('x')")
    assert cell.text().index("x\n") < cell.text().index("Wall time")


def test_timeit_around_the_magic_repeats_it(any_kernel: Kernel) -> None:
    assert (
        any_kernel.run("%%timeit -n2 -r2\n%%remote_stream thread:\nprint('once')").text().count("once") == 4
    )


def test_capture_around_the_magic_captures(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%capture captured\n%%remote_stream thread: --out inside\nprint('x')\n7")
    assert cell.ok
    assert cell.text() == ""
    shown = any_kernel.run("print(repr(captured.stdout), captured.outputs[0].data, repr(inside.stdout))")
    assert shown.text() == "'x\\n' {'text/plain': '7'} 'x\\n'\n"


@pytest.mark.parametrize("mode", ["off", "trio"])
def test_other_autoawait_modes_block_and_work(any_kernel: Kernel, mode: str) -> None:
    assert any_kernel.run(f"%autoawait {mode}").ok
    try:
        assert any_kernel.run("%%remote_stream thread:\nprint('x')").text() == "x\n"
    finally:
        assert any_kernel.run("%autoawait asyncio").ok


def test_run_cell_magic_in_a_function_blocks_until_the_end(any_kernel: Kernel) -> None:
    cell = any_kernel.run(
        "def f():\n    get_ipython().run_cell_magic('remote_stream', 'thread:', 'print(1)\\ndone = True')\n"
        "    print(done)\nf()"
    )
    assert cell.text() == "1\nTrue\n"


def test_input_and_getpass_ask_the_front_end(any_kernel: Kernel) -> None:
    cell = any_kernel.run(
        "%%remote_stream thread: --plain\nimport getpass\nprint(input('name? ') + getpass.getpass())",
        answer="bob",
    )
    assert cell.text() == "bobbob\n"


def test_input_without_a_front_end_fails_the_code_and_not_the_kernel(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream thread:\ninput('name? ')")
    assert not cell.ok
    assert any_kernel.run("print('alive')").text() == "alive\n"


def test_displays_keep_their_place_and_can_be_updated(any_kernel: Kernel) -> None:
    cell = any_kernel.run(
        "%%remote_stream thread:\nfrom IPython.display import HTML, display\nprint('one')\n"
        "handle = display(HTML('<b>x</b>'), display_id=True)\nprint('two')\nhandle.update(HTML('<b>y</b>'))"
    )
    kinds = [m["msg_type"] for _, m in cell.messages if m["msg_type"] not in ("status", "execute_input")]
    kinds = [kind for kind, _ in itertools.groupby(kinds)]  # a line may arrive in two pieces
    assert kinds == ["stream", "display_data", "stream", "update_display_data"]
    assert cell.of("display_data")[0]["data"]["text/html"] == "<b>x</b>"
    first, update = cell.of("display_data")[0], cell.of("update_display_data")[0]
    assert first["transient"]["display_id"] == update["transient"]["display_id"]


def test_exit_ends_the_execution_and_not_the_kernel(any_kernel: Kernel) -> None:
    assert any_kernel.run("%%remote_stream thread:\nprint('x')\nexit()\nprint('never')").text() == "x\n"
    assert any_kernel.run("print('alive')").text() == "alive\n"


def test_line_magics_and_bangs_work_inside(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream thread:\n!echo from the shell\nlines = !echo two\nprint(lines)")
    assert cell.text().replace("\r", "") == "from the shell\n['two']\n"


def test_help_shows_the_options(any_kernel: Kernel) -> None:
    page = any_kernel.run("%%remote_stream?").reply["payload"][0]["data"]["text/plain"]
    assert "--detach" in page
    assert "thread:NAME" in page


def test_options_are_completed(any_kernel: Kernel) -> None:
    text = "%%remote_stream thread: --det"
    reply = any_kernel.client.complete(text, len(text), reply=True, timeout=30)
    assert reply["content"]["matches"] == ["--detach"]


def test_a_flood_stays_under_the_limits_of_the_server_and_counts_what_it_skips(any_kernel: Kernel) -> None:
    cell = any_kernel.run("%%remote_stream thread: --out flood\nfor i in range(1_000_000): print(i)")
    assert cell.ok
    shown, noted = cell.text(), cell.text("stderr")
    skipped = sum(int(lines.replace(",", "")) for lines in re.findall(r"\[([\d,]+) lines", noted))
    assert shown.count("\n") + skipped == 1_000_000
    assert shown.endswith("999999\n")
    assert max(len(content["text"]) for content in cell.of("stream")) <= 64 * 1024
    # The server averages over windows of 3 s: 3 MB and 3,000 messages.
    streams = [(at, len(m["content"]["text"])) for at, m in cell.messages if m["msg_type"] == "stream"]
    for start, _ in streams:
        window = [size for at, size in streams if start <= at < start + 3]
        assert sum(window) < 3_000_000
        assert len(window) < 3_000
    assert any_kernel.run("print(len(flood.stdout))").text() == "6888890\n"


def test_alternating_streams_keep_their_order_and_few_messages(any_kernel: Kernel) -> None:
    cell = any_kernel.run(
        "%%remote_stream thread:\nimport sys\nfor i in range(500): print(i); print(-i, file=sys.stderr)"
    )
    numbers = re.sub(r"\x1b\[\d+m", "", "".join(content["text"] for content in cell.of("stream"))).split()
    assert numbers == [str(n) for i in range(500) for n in (i, -i)]
    assert len(cell.of("stream")) < 200


@pytest.mark.parametrize("first", ["%%time\n", "%%capture\n"])
def test_a_blocking_cell_as_the_first_use_leaves_the_routing_in_place(
    fresh_kernel: Kernel, first: str
) -> None:
    assert fresh_kernel.run("%load_ext jupyter_ext").ok
    assert fresh_kernel.run(first + "%%remote_stream thread:\nprint('a')").ok
    assert fresh_kernel.run("%%remote_stream thread: --out later\nprint('b')").text() == "b\n"
    assert fresh_kernel.run("print(repr(later.stdout))").text() == "'b\\n'\n"


@pytest.mark.parametrize(
    ("code", "shows"),
    [
        ("print('\\ud800 and on')", "and on"),
        (
            "class A:\n    def _repr_json_(self): return {'a': object()}\n    def __repr__(self): return 'an A'\nA()",
            "an A",
        ),
        (
            "c = []; c.append(c)\nclass A:\n    def _repr_json_(self): return c\n    def __repr__(self): return 'an A'\nA()",
            "an A",
        ),
        ("for i in range(24): print(str(i) * 65535)", "23"),
    ],
    ids=["surrogate", "bad JSON", "circle", "long lines"],
)
@pytest.mark.parametrize("before", ["", "%%time\n"], ids=["awaited", "blocking"])
def test_output_that_cannot_be_sent_unchanged_does_not_block_the_cell(
    any_kernel: Kernel, before: str, code: str, shows: str
) -> None:
    cell = any_kernel.run(f"{before}%%remote_stream thread:\n{code}")
    assert cell.ok
    assert shows in cell.text() or shows in str(cell.of("execute_result"))
    assert any_kernel.run("print('alive')").text() == "alive\n"


def test_an_environment_variable_turns_streaming_off(any_kernel: Kernel) -> None:
    assert any_kernel.run("import os; os.environ['PYREPL_STREAM_DISABLE_STREAMING'] = '1'").ok
    try:
        cell = any_kernel.run(
            "%%remote_stream thread:\nimport time\nfor i in range(3): print(i); time.sleep(0.05)"
        )
        assert [content["text"] for content in cell.of("stream")] == ["0\n1\n2\n"]
        assert (
            any_kernel.run("%%remote_stream thread: --plain\nprint(input())", answer="bob").text() == "bob\n"
        )
    finally:
        assert any_kernel.run("del os.environ['PYREPL_STREAM_DISABLE_STREAMING']").ok


def test_unload_restores_everything(fresh_kernel: Kernel) -> None:
    look = (
        "import builtins, concurrent.futures, getpass, logging, sys, threading\n"
        "shell = get_ipython()\n"
        "state = (id(sys.stdout), id(sys.stderr), id(threading.Thread.start), id(threading.excepthook),\n"
        "  id(concurrent.futures.ThreadPoolExecutor.submit), id(logging.StreamHandler.emit),\n"
        "  getpass.getpass.__qualname__, sorted(vars(shell.kernel)), sorted(vars(shell.display_pub)),\n"
        "  len(shell.input_transformers_post), len(shell.input_transformers_cleanup),\n"
        "  sorted(shell.magics_manager.magics['cell']))\n"
    )
    assert fresh_kernel.run(look + "before = state").ok
    assert fresh_kernel.run("%load_ext jupyter_ext").ok
    assert fresh_kernel.run("%%remote_stream thread:\nprint('x')").text() == "x\n"
    assert fresh_kernel.run("%unload_ext jupyter_ext").ok
    assert fresh_kernel.run(look + "print(state == before or (before, state))").text() == "True\n"
    assert "not found" in fresh_kernel.run("%%remote_stream thread:\n1").text("stderr")
    assert fresh_kernel.run("%load_ext jupyter_ext").ok
    assert fresh_kernel.run("%%remote_stream thread:\nprint('again')").text() == "again\n"
