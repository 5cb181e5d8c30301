"""The rows, bars, displays and status that each kind of message leads to."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.area.displays import WIDGET
from jupyter_ext.area.state import AreaState, Header
from jupyter_ext.views.display_options import DisplayOptions
from pyrepl_stream import (
    ClearMessage,
    CompleteMessage,
    DisplayMessage,
    ErrorMessage,
    EventMessage,
    GapMessage,
    InputReplyMessage,
    InputRequestMessage,
    LogMessage,
    Message,
    OutputMessage,
    ProgressMessage,
    ResultMessage,
    StreamType,
)

HEADER = Header(
    "local:", "default/job", command="for step in steps:", how_to_read="%remote_stream attach job"
)
HOSTILE = "</script><script>alert(1)</script>\x1b]8;;javascript:alert(1)\x07\x1b[2J\ud800\x00\n\r\x9b31m"


def state_of(messages: Iterable[Message], retire: Any = None, **options: Any) -> AreaState:
    state = AreaState(HEADER, DisplayOptions(**options), retire=retire)
    for sequence, message in enumerate(messages, 1):
        state.take(replace(message, execution_id="job", sequence=sequence, timestamp=1000.0 + sequence))
    return state


def rows(state: AreaState) -> list[str]:
    return state.page.texts(state.page.first, state.page.end)


def out(data: str | bytes, stream: str = "stdout", source: str = "") -> OutputMessage:
    return OutputMessage(stream=StreamType(stream), data=data, source=source)


# -- rows --------------------------------------------------------------------------------------


def test_cleared_rows_go_at_once_or_with_the_next_output() -> None:
    picture = DisplayMessage(data={"text/html": "<b>1</b>"}, display_id="p")
    old = [out("old"), picture, ProgressMessage(bar="b", percentage=10.0)]
    state = state_of([*old, ClearMessage()])
    assert rows(state) == []
    assert len(state.bars.json()) == 1
    assert rows(state_of([*old, ClearMessage(), out("new\n")])) == ["new"]
    assert rows(state_of([*old, ClearMessage(wait=True)])) == ["old", ""]
    update = replace(picture, update=True)
    assert rows(
        state_of([*old, ClearMessage(wait=True), ProgressMessage(bar="b", percentage=20.0), update])
    ) == [
        "old",
        "",
    ]
    state = state_of(
        [
            *old,
            ClearMessage(wait=True),
            ProgressMessage(bar="b", percentage=20.0),
            out("new\n"),
            out("more\n"),
        ]
    )
    assert rows(state) == ["new", "more"]
    assert state.page.first == 2
    assert rows(state_of([*old, ClearMessage(), update])) == []


def test_output_becomes_rows_and_stderr_is_marked() -> None:
    state = state_of([out("one\ntw"), out("o\n"), out("oops\n", "stderr")])
    assert rows(state) == ["one", "two", "oops"]
    assert state.page.row(2).json() == [["oops", "e"]]


def test_bytes_outside_utf8_are_shown_and_counted() -> None:
    state = state_of([out("é\n"), out(b"\xff\n")])
    assert rows(state) == ["é", "\ufffd"]
    assert state.status()["bytes"] == 5


def test_other_messages_have_rows_of_their_own_beside_an_open_line() -> None:
    state = state_of(
        [
            out("loading"),
            LogMessage(level="INFO", logger="app", text="connected"),
            EventMessage(name="json", data={"loss": 0.5}),
            out(" done\n"),
        ]
    )
    assert rows(state) == ["loading done", "INFO app: connected", 'json: {"loss": 0.5}']


def test_a_long_event_without_spaces_is_cut() -> None:
    state = state_of([EventMessage(name="json", data="x" * 5000)])
    assert rows(state)[0].startswith('json: "xxxx')
    assert len(rows(state)[0]) < 1100


def test_a_gap_is_a_row_and_counts_as_missing_bytes() -> None:
    state = state_of(
        [out("a\n"), GapMessage(first=2, bytes=12_000, reason="the reader was slow"), out("b\n")]
    )
    assert rows(state) == ["a", "[12,000 bytes of output are missing: the reader was slow]", "b"]
    assert state.status()["missing"] == 12_000
    assert rows(state_of([GapMessage(bytes=None, reason="?")])) == ["[some bytes of output are missing: ?]"]


@pytest.mark.parametrize("shown", [True, False])
def test_a_traceback_is_shown_if_the_cell_does_not_raise_it(shown: bool) -> None:
    error = ErrorMessage(
        name="ValueError", value="no", traceback=("Traceback:", "\x1b[31mValueError\x1b[0m: no")
    )
    end = CompleteMessage(success=False, status="error", error="ValueError: no")
    state = state_of([error, end], show_errors=shown)
    assert rows(state) == (["Traceback:", "ValueError: no"] if shown else [])
    assert state.status()["error"] == "ValueError: no"


def test_an_error_that_the_code_shows_is_shown_and_does_not_end_it() -> None:
    error = ErrorMessage(name="ValueError", traceback=("ValueError",), extra={"is_passing": True})
    state = state_of([error, CompleteMessage(success=True)])
    assert (rows(state), state.status()["error"]) == (["ValueError"], "")


def test_the_reason_of_a_failure_without_a_traceback_is_shown() -> None:
    end = CompleteMessage(success=False, status="timeout", error="no end within 5 s")
    assert rows(state_of([end], show_errors=True)) == ["no end within 5 s"]


def test_an_error_that_the_output_shows_already_is_not_shown_again() -> None:
    end = CompleteMessage(success=False, status="error", error="UsageError: no", extra={"printed": True})
    state = state_of([out("UsageError: no\n"), end], show_errors=True)
    assert rows(state) == ["UsageError: no"]
    assert state.status()["error"] == "UsageError: no"


def test_rows_beyond_the_limit_are_retired_in_order() -> None:
    retired: list[str] = []
    state = state_of(
        [out(f"{n}\n") for n in range(50)], lines=10, retire=lambda number, texts: retired.extend(texts)
    )
    assert retired + rows(state) == [str(n) for n in range(50)]
    assert (state.page.first, state.page.end) == (40, 50)


def test_each_source_has_a_terminal_of_its_own() -> None:
    state = state_of([out("a", source="w1"), out("b", source="w2"), out("\rA\n", source="w1")])
    assert rows(state) == ["A", "b"]
    assert state.page.row(0).json() == {"t": "A", "s": "w1"}
    assert state.status()["sources"] == ["w1", "w2"]


def test_a_note_is_not_a_source() -> None:
    state = state_of([out("a\n", source="w1")])
    state.note("shown from message 7 on")
    assert rows(state)[-1] == "shown from message 7 on"
    assert state.sources == ("w1",)


def test_sources_beyond_the_limit_share_a_terminal() -> None:
    state = state_of([out("x\n", source=f"w{n}") for n in range(500)])
    assert len(state.sources) == 65
    assert state.page.row(499).source == "others"


# -- progress ----------------------------------------------------------------------------------

_TQDM = "\r 50%|#####     | 5/10 [00:01<00:01,  5.00it/s]\r100%|##########| 10/10 [00:02<00:00,  5.00it/s]\n"


def test_bars_are_taken_out_of_the_rows() -> None:
    state = state_of([out("begin\n"), out(_TQDM, "stderr"), out("end\n")])
    assert rows(state) == ["begin", "end"]
    (bar,) = state.bars.json()
    assert (bar["current"], bar["total"], bar["finished"]) == (10, 10, True)


def test_bars_are_drawn_as_in_a_terminal_without_progress() -> None:
    state = state_of([out(_TQDM, "stderr")], bars=False)
    assert rows(state) == ["100%|##########| 10/10 [00:02<00:00,  5.00it/s]"]
    assert state.bars.json() == []


def test_progress_of_another_processor_is_a_bar() -> None:
    state = state_of([ProgressMessage(bar="x", current=1, total=2)], bars=False)
    assert [bar["bar"] for bar in state.bars.json()] == ["x"]


# -- input -------------------------------------------------------------------------------------


def test_a_request_is_open_until_its_answer_is_in_the_rows() -> None:
    state = state_of([InputRequestMessage(prompt="Name? ")])
    assert state.question == {"request": 1, "prompt": "Name?", "password": False}
    assert state.status()["input"]
    state.take(InputReplyMessage(execution_id="job", sequence=2, request=1, text="Ada"))
    assert state.question is None
    assert rows(state) == ["Name? Ada"]


def test_rows_have_no_passwords_and_printed_prompts_once() -> None:
    asked = InputRequestMessage(prompt="Password: ", password=True, extra={"printed": True})
    state = state_of([out("Password: "), asked, InputReplyMessage(request=2), out("welcome\n")])
    assert rows(state) == ["Password:", "welcome"]


def test_the_oldest_request_comes_first_and_all_are_closed_at_the_end() -> None:
    state = state_of([InputRequestMessage(prompt="a"), InputRequestMessage(prompt="b")])
    assert state.question is not None
    assert state.question["prompt"] == "a"
    state.take(CompleteMessage(success=False, status="interrupted"))
    assert state.question is None


# -- displays ----------------------------------------------------------------------------------


def test_a_display_is_between_the_lines_and_updated_in_place() -> None:
    first = DisplayMessage(data={"text/html": "<b>1</b>"}, display_id="plot")
    second = DisplayMessage(data={"text/html": "<b>2</b>"}, display_id="plot", update=True)
    state = state_of([out("before\n"), first, out("after\n"), second])
    assert [state.page.row(n).display for n in range(3)] == ["", "d1", ""]
    assert state.displays["d1"]["html"] == "<b>2</b>"


def test_an_update_of_an_unknown_display_is_shown() -> None:
    state = state_of([DisplayMessage(data={"text/plain": "late"}, display_id="gone", update=True)])
    assert state.displays["d1"]["text"] == "late"


def test_a_result_of_plain_text_is_a_row() -> None:
    state = state_of([ResultMessage(data={"text/plain": "array([1,\n       2])"})])
    assert rows(state) == ["array([1,", "       2])"]
    assert not state.displays


def test_text_may_be_a_list_of_lines() -> None:
    state = state_of([DisplayMessage(data={"text/plain": ["a\n", "b"]})])
    assert rows(state) == ["a", "b"]


def test_displays_of_rows_that_are_gone_are_gone() -> None:
    plot = DisplayMessage(data={"text/html": "<b>plot</b>"})
    state = state_of([plot, *(out("x\n") for _ in range(20)), plot], lines=10)
    assert list(state.displays) == ["d2"]


# -- status ------------------------------------------------------------------------------------


def test_the_status_follows_the_run() -> None:
    assert AreaState(HEADER).status()["state"] == "starting"
    state = AreaState(replace(HEADER, queued_after="job-1"))
    assert (state.status()["state"], state.status()["waits_for"]) == ("queued", "job-1")
    state.take(out("x\n"))
    assert (state.status()["state"], state.ended) == ("running", False)
    end = CompleteMessage(
        timestamp=105.0, success=False, status="error", exit_code=3, error="no", duration=5.0
    )
    state.take(end)
    status = state.status()
    assert (status["state"], status["exit_code"], status["error"]) == ("error", 3, "no")
    assert (status["started"], status["duration"], state.ended) == (100.0, 5.0, True)


def test_a_lost_run_has_no_duration() -> None:
    assert state_of([CompleteMessage(success=False, status="lost")]).status()["duration"] is None


def test_the_elapsed_time_is_that_at_the_given_time() -> None:
    state = AreaState(HEADER)
    assert state.status(50.0)["elapsed"] is None
    state.started = 100.0
    assert [state.status(now)["elapsed"] for now in (107.5, 99.0, None)] == [7.5, 0.0, None]
    state.take(CompleteMessage(success=True, duration=8.0))
    assert state.status(200.0)["elapsed"] is None


def deep() -> list[Any]:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "message",
    [
        EventMessage(name="x", data=deep()),
        DisplayMessage(data={"text/plain": deep()}),
        DisplayMessage(data={"application/vnd.plotly.v1+json": {"data": deep()}}),
        DisplayMessage(data={"image/png": "aGk="}, metadata={"width": 10**400}),
        ProgressMessage(bar="x", current=10**400, total=5),
        DisplayMessage(data={"text/html": ["<b>", 10**400, None, {"a": 1}]}),
        OutputMessage(data=None),  # type: ignore[arg-type]  # not allowed by the protocol
    ],
    ids=lambda message: type(message).__name__,
)
def test_an_invalid_message_does_not_stop_later_output(message: Message) -> None:
    state = state_of([out("before\n"), message, out("after\n")])
    assert rows(state)[0] == "before"
    assert rows(state)[-1] == "after"


def test_a_message_that_cannot_be_shown_is_a_line_with_the_reason() -> None:
    state = state_of([OutputMessage(data=None)])  # type: ignore[arg-type]
    assert rows(state)[0].startswith("a message could not be shown: TypeError")


_text = st.text(max_size=30) | st.just(HOSTILE)
_messages = st.lists(
    st.one_of(
        st.builds(out, _text, st.sampled_from(["stdout", "stderr"]), _text),
        st.builds(LogMessage, level=_text, logger=_text, text=_text, source=_text),
        st.builds(EventMessage, name=_text, data=st.dictionaries(_text, _text, max_size=2)),
        st.builds(ErrorMessage, name=_text, value=_text, traceback=st.tuples(_text, _text)),
        st.builds(GapMessage, bytes=st.none() | st.integers(0, 99), reason=_text),
        st.builds(ProgressMessage, bar=_text, description=_text, current=st.floats(), total=st.floats()),
        st.builds(InputRequestMessage, prompt=_text),
        st.builds(InputReplyMessage, request=st.integers(1, 5), text=_text),
        st.builds(
            DisplayMessage,
            data=st.dictionaries(st.sampled_from(["text/plain", "text/html", "image/png"]), _text),
            display_id=st.none() | _text,
            update=st.booleans(),
        ),
        st.builds(CompleteMessage, status=st.sampled_from(["ok", "error"]), error=_text),
    ),
    max_size=15,
)


@given(_messages, st.booleans())
@settings(deadline=None)
def test_rows_and_traits_are_always_json_in_utf8(messages: list[Message], progress: bool) -> None:
    state = state_of(messages, bars=progress, show_errors=True, lines=20)
    page = state.page
    everything = [
        state.status(),
        state.bars.json(),
        state.question,
        dict(state.displays),
        [page.row(number).json() for number in range(page.first, page.end)],
    ]
    json.dumps(everything, ensure_ascii=False, allow_nan=False).encode()


def test_a_log_record_cannot_hide_later_output() -> None:
    log = LogMessage(level="INFO", logger="x", text="a\x1b]0;never ended")
    state = state_of([log, LogMessage(level="INFO", logger="x", text="\x1b[2J\x1b[5Ab")])
    assert rows(state)[1] == "INFO x: b"


def test_widgets_of_this_kernel_are_one_line_without_their_text() -> None:
    state = AreaState(Header("thread:", "e"))
    view = {WIDGET: {"model_id": "1"}, "text/plain": "inner:   0%|          | 0/20 [00:00<?, ?it/s]"}
    line = "[a widget is shown below]"
    for _ in range(3):
        state.take(DisplayMessage(data=view))
        state.take(out("epoch\n"))
    assert [text for text in rows(state) if text] == [line, "epoch", "epoch", "epoch"]
    state.take(ClearMessage(wait=False))
    state.take(DisplayMessage(data=view))
    assert [text for text in rows(state) if text] == [line]
    elsewhere = AreaState(Header("local:", "e"))
    elsewhere.take(DisplayMessage(data=view))
    assert elsewhere.page.end == 1
    assert line not in rows(elsewhere)
