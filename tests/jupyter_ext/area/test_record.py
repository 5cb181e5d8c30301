"""The record in the notebook is complete, small, and harmless for any output."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import nh3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.area.record import first_record, live_html, record
from jupyter_ext.area.state import AreaState, Header
from jupyter_ext.views.display_options import DisplayOptions
from pyrepl_stream import (
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

_HOW = "%remote_stream attach default/job"
_HEADER = Header("local:", "default/job", command="for step in steps:", how_to_read=_HOW)
_END = CompleteMessage(success=True, status="ok", exit_code=0, duration=2.5)
_PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(100)).decode()
_EVIL = [
    "</pre></div><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)' style=\"position:fixed\"",
    "\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07",
    '\x1b]8;;https://x.example/"><script>alert(1)</script>\x07click\x1b]8;;\x07',
    "\x1b]0;</title><script>alert(1)</script>\x07",
    "\x1b[38;2;1;2;3m<b onclick=alert(1)>\x1b[48;5;999;<script>m",
    "&lt;script&gt;&#60;script&#62;",
]


def told(messages: Iterable[Message], header: Header = _HEADER, **options: Any) -> AreaState:
    state = AreaState(header, DisplayOptions(**options))
    for sequence, message in enumerate(messages, 1):
        state.take(replace(message, execution_id="job", sequence=sequence, timestamp=1000.0 + sequence))
    return state


def out(data: str, source: str = "") -> OutputMessage:
    return OutputMessage(data=data, source=source)


class Elements(HTMLParser):
    """A parser that collects elements, attributes and text, and checks that elements are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs] or [(tag, "", "")]
        if tag not in ("img", "br", "hr", "col"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def assert_harmless(html: str) -> None:
    allowed = {"style", "href", "target", "rel", "src", "alt", "width", "height", "", "tabindex", "role"}
    allowed |= {"aria-label", "data-lm-suppress-shortcuts", "border", "title", "colspan"}
    for tag, name, value in Elements(html).attributes:
        assert tag in {
            "div",
            "pre",
            "span",
            "b",
            "i",
            "u",
            "s",
            "a",
            "img",
            "table",
            "tbody",
            "tr",
            "td",
            "p",
        }
        assert name in allowed
        if name == "href":
            assert str(value).startswith(("https:", "http:", "mailto:"))
        if name == "src":
            assert str(value).startswith("data:image/")
        if name == "style":
            assert "url" not in str(value)
            assert "position" not in str(value)


# -- the record --------------------------------------------------------------------------------


def test_a_record_has_a_title_the_output_and_the_end() -> None:
    text = record(told([out("one\n\x1b[31mtwo\x1b[0m\n"), ResultMessage(data={"text/plain": "42"}), _END]))[
        "text/plain"
    ]
    assert text.splitlines() == [
        "default/job in local: — for step in steps:",
        "one",
        "two",
        "42",
        "[done, exit code 0, after 2.50 s]",
    ]


def test_html_and_text_have_the_same_lines() -> None:
    bundle = record(told([out("a < b\n  indented\n\nlast\n"), _END]))
    assert "\na &lt; b\n  indented\n\nlast</pre>" in bundle["text/html"]
    assert "a < b\n  indented\n\nlast\n" in bundle["text/plain"]


def test_styles_are_inline_or_tags_and_links_lead_out() -> None:
    styled = "\x1b[1;3;4;9;31mall\x1b[0m \x1b]8;;https://example.org/?a&b\x07link\x1b]8;;\x07\n"
    html = record(told([out(styled)]))["text/html"]
    for tag in ("<b>", "<i>", "<u>", "<s>", "color-mix("):
        assert tag in html
    assert '<a href="https://example.org/?a&amp;b" target="_blank" rel="noopener noreferrer" ' in html


def test_a_record_has_no_hidden_text() -> None:
    bundle = record(told([out("\x1b[8msecret\x1b[0m shown\n")]))
    assert not any("secret" in form for form in bundle.values())
    assert all("shown" in form for form in bundle.values())


def test_omitted_lines_are_counted_with_the_way_to_read_them() -> None:
    state = told([out("".join(f"{n}\n" for n in range(25_000))), _END])
    text = record(state)["text/plain"].splitlines()
    assert text[1] == f"… 24,000 earlier lines are in the log: {_HOW}"
    assert text[2:-1] == [str(n) for n in range(24_000, 25_000)]
    assert record(state, lines=25_000)["text/plain"].splitlines()[1].startswith("… 15,000 earlier lines")


def test_omitted_lines_without_a_session_are_not_said_to_be_in_a_log() -> None:
    state = told([out("x\n" * 2000)], header=Header("thread:", "job"))
    assert record(state)["text/plain"].splitlines()[1] == "… 1,000 earlier lines are not kept here"


def test_a_record_states_how_much_of_a_line_is_missing() -> None:
    state = told([out("z" * 5_000_000), _END])
    for kind in ("text/html", "text/plain"):
        assert "z" * 20_000 + " … 4,980,000 more characters" in record(state)[kind]


def test_a_record_of_long_or_coloured_lines_is_small() -> None:
    coloured = "".join(f"\x1b[38;2;{n % 256};0;0m{n % 10}" for n in range(2000))
    for line in ("x" * 60_000, "<" * 10_000, "\N{SNOWMAN}" * 10_000, coloured):
        bundle = record(told([out(f"{line}\n" * 50), _END]))
        assert 20_000 < len(bundle["text/html"].encode()) < 220_000
        assert len(bundle["text/plain"].encode()) < 220_000


def test_a_run_without_output_has_a_record_of_one_line() -> None:
    bundle = record(told([_END]))
    line = "default/job in local: — for step in steps: [done, exit code 0, after 2.50 s]"
    assert bundle["text/plain"] == line
    assert "".join(Elements(bundle["text/html"]).texts).strip() == line
    failed = CompleteMessage(success=False, status="error", error="no", duration=1)
    assert len(record(told([failed]))["text/plain"].splitlines()) == 2
    assert len(record(told([ProgressMessage(bar="a"), _END]))["text/plain"].splitlines()) == 3


def test_all_text_is_where_mathjax_does_not_look() -> None:
    header = Header("local:$a$", "$b$", command="for i in $(seq 3); do echo $i", how_to_read="attach $b$")
    bar = ProgressMessage(bar="a", description="cost $a_1$ \\(x\\)", percentage=50.0)
    messages = [out("$5 to $6\n" * 2000), DisplayMessage(data={"image/png": "AAAA" * (3 << 20)}), bar]
    state = told(
        [*messages, CompleteMessage(success=False, status="error", error="$x$", duration=1)], header=header
    )
    for html in (record(state)["text/html"], live_html(state, now=0.0), first_record(header)["text/html"]):
        assert "$" in html
        outside = re.sub(r"<pre[ >].*?</pre>", "", html, flags=re.DOTALL)
        assert "".join(Elements(outside).texts).strip() == ""


def test_the_rows_are_as_high_as_the_area_and_show_their_end() -> None:
    html = record(told([out("x\n" * 100), _END], height=3))["text/html"]
    assert "max-height:4.70em;overflow:auto;display:flex;flex-direction:column-reverse" in html


def test_final_bars_are_in_both_forms() -> None:
    state = told(
        [
            ProgressMessage(
                bar="a", description="epochs", current=3, total=3, percentage=100.0, finished=True
            ),
            ProgressMessage(bar="b", description="steps", current=1, total=4, percentage=25.0),
        ]
    )
    bundle = record(state)
    assert "epochs: 100% | 3 of 3 | finished\nsteps: 25% | 1 of 4\n" in bundle["text/plain"]
    assert "epochs: 100%" in bundle["text/html"]
    assert "width:25%" in bundle["text/html"]


def _tqdm(name: str, done: int) -> str:
    return f"{name}: {done:3d}%|####      | {done}/100 [00:01<00:01, 40.00it/s]"


def _nested(last: str) -> list[Message]:
    """Feed an outer bar and inner ones with `leave=False`, whose ends are not drawn, and then ``last``."""
    messages = [out(f"\r{_tqdm('outer', 0)}")]
    for done in (50, 100):
        for inner in (0, 42 + done):  # the second happens to be drawn at its end
            messages.append(out(f"\n\r{_tqdm('inner', min(inner, 100))}\x1b[A"))
        messages.append(out(f"\n\r{' ' * 70}\r\x1b[A\r{_tqdm('outer', done)}"))
    return [*messages, out(last)]


def test_transient_bars_are_not_in_the_record_of_a_successful_run() -> None:
    lines = record(told([*_nested("\n"), _END]))["text/plain"].splitlines()
    assert lines[1] == "2 finished"
    assert lines[2].startswith("outer: 100% | 100 of 100 it | ")
    assert len(lines) == 4


def test_a_bar_left_by_a_break_shows_where_it_stopped() -> None:
    left = out(f"\r{_tqdm('left', 0)}\r{_tqdm('left', 44)}\n")
    lines = record(told([left, _END]))["text/plain"].splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("left: 44% | ")
    assert lines[1].endswith(" | stopped after 0:01")


def test_a_transient_bar_shows_where_a_failed_run_stopped() -> None:
    messages = _nested("")[:3]
    failed = CompleteMessage(success=False, status="error", duration=1)
    lines = record(told([*messages, out(f"\n\r{' ' * 70}\r\x1b[A"), failed]))["text/plain"].splitlines()
    assert [line.split(" | ")[0] for line in lines[1:-1]] == ["outer: 0%", "inner: 92%"]
    assert all(" | stopped after " in line for line in lines[1:-1])


def test_displays_are_at_their_places() -> None:
    plot = {"image/png": _PNG, "text/plain": "<Figure>"}
    table = {"text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "   a\n0  1"}
    state = told([out("before\n"), DisplayMessage(data=plot), DisplayMessage(data=table), out("after\n")])
    bundle = record(state)
    html = bundle["text/html"]
    places = [html.index(part) for part in ("before", "data:image/png", "<table>", "after")]
    assert places == sorted(places)
    assert "before\n[<Figure>]\n   a\n0  1\nafter\n" in bundle["text/plain"]


def test_displays_that_are_too_large_are_named_instead() -> None:
    plot = {"image/png": "A" * (6 << 20), "text/plain": "<Figure>"}
    html = record(told([DisplayMessage(data=plot), DisplayMessage(data=plot)]))["text/html"]
    assert html.count("data:image/png") == 1
    assert "[&lt;Figure&gt;: 6,291,4" in html


def test_lines_of_several_sources_name_theirs() -> None:
    text = record(told([out("a\n", "w1"), out("b\n", "w2")]))["text/plain"]
    assert "[w1] a\n[w2] b\n" in text


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (
            CompleteMessage(success=False, status="error", exit_code=2, error="no", duration=1),
            "[failed, exit code 2, after 1.00 s, no]",
        ),
        (
            CompleteMessage(success=False, status="lost", error="its host ended"),
            "[lost, its host ended]",
        ),
        (CompleteMessage(success=False, status="interrupted", duration=61), "[interrupted, after 61.00 s]"),
        (
            None,
            "[running when this was written, 7 bytes of output are missing, run %remote_stream attach default/job to see the rest]",
        ),
    ],
)
def test_the_last_line_describes_the_end(end: CompleteMessage | None, said: str) -> None:
    messages = [end] if end is not None else [GapMessage(bytes=7, reason="?")]
    assert record(told(messages))["text/plain"].splitlines()[-1] == said


# -- the first bundle and the live one ---------------------------------------------------------


def test_the_first_bundle_has_nothing_that_can_become_wrong() -> None:
    bundle = first_record(_HEADER)
    for form in bundle.values():
        assert "default/job in local:" in form
        assert _HOW in form
        assert not any(word in form for word in ("running", "done", "failed", "complete"))
    assert "attach" not in first_record(Header("thread:", "job"))["text/plain"]


def test_live_html_is_the_last_rows_with_bars_and_the_time() -> None:
    state = told(
        [out("".join(f"row {n}\n" for n in range(100))), ProgressMessage(bar="a", description="steps")],
        height=40,
    )
    html = live_html(state, now=1001.0 + 62)
    assert "row 59\n" not in html
    assert "row 60\n" in html
    assert "row 99" in html
    assert "steps: under way" in html
    assert "[running, for 62 s]" in html


@pytest.mark.parametrize(
    "line",
    ["x" * 5000, "<" * 5000, "\x1b[31mx\x1b[32mx" * 500, "x\N{SNOWMAN}" * 5000, "x" * 90, "x" * 60_000],
)
def test_live_html_is_small_and_has_some_rows(line: str) -> None:
    bars = [ProgressMessage(bar=f"b{n}", description="<" * 10_000) for n in range(100)]
    html = live_html(told([out(f"{line}\n" * 100), *bars], height=40), now=0.0)
    assert len(html.encode()) <= 32 << 10
    assert html.count("x") + html.count("&lt;") > 1000


# -- hostile output ----------------------------------------------------------------------------

_text = st.sampled_from(_EVIL) | st.text(max_size=20)
_messages = st.lists(
    st.one_of(
        st.builds(
            OutputMessage,
            stream=st.sampled_from(StreamType),
            data=st.lists(_text, max_size=4).map("\n".join),
            source=_text,
        ),
        st.builds(LogMessage, level=_text, logger=_text, text=_text, source=_text),
        st.builds(EventMessage, name=_text, data=_text),
        st.builds(ErrorMessage, name=_text, value=_text, traceback=st.tuples(_text)),
        st.builds(GapMessage, reason=_text),
        st.builds(
            ProgressMessage,
            bar=_text,
            description=_text,
            unit=_text,
            current=st.floats(),
            percentage=st.floats(),
            library=_text,
            source=_text,
        ),
        st.builds(InputRequestMessage, prompt=_text),
        st.builds(InputReplyMessage, request=st.integers(1, 5), text=_text),
        st.builds(
            DisplayMessage,
            data=st.dictionaries(
                st.sampled_from(["text/plain", "text/html", "image/png", "image/svg+xml", "text/latex"])
                | _text,
                _text | st.just(_PNG),
                max_size=3,
            ),
            metadata=st.dictionaries(st.sampled_from(["image/png", "width"]), _text),
            display_id=st.none() | _text,
        ),
        st.builds(CompleteMessage, status=_text, error=_text, exit_code=st.none() | st.integers()),
    ),
    max_size=12,
)
_headers = st.builds(Header, target=_text, name=_text, job=_text, command=_text, how_to_read=_text)


@given(_messages, _headers)
@settings(max_examples=150, deadline=None)
def test_hostile_output_does_not_become_markup(messages: list[Message], header: Header) -> None:
    state = told(messages, header=header, show_errors=True)
    state.note(_EVIL[0])
    for html in (record(state)["text/html"], first_record(header)["text/html"], live_html(state, now=0.0)):
        assert_harmless(html)
        html.encode()


def test_a_sanitizer_that_drops_all_styles_leaves_the_same_text() -> None:
    state = told([out("\x1b[31mone\x1b[0m <two>\n"), ProgressMessage(bar="a", description="steps"), _END])
    html = record(state)["text/html"]
    plain = nh3.clean(html, tags={"div", "pre", "span", "b"}, attributes={})
    texts = ["".join(Elements(form).texts).replace("\n", "") for form in (plain, html)]
    assert texts[0] == texts[1]  # except a line feed at the start of `pre`, which HTML drops


def test_relative_links_are_removed() -> None:
    html = "<a href='http:/lab/api/shutdown'>one</a>"
    osc = "\x1b]8;;http:/lab/api/shutdown\x07two\x1b]8;;\x07 \x1b]8;;https://example.org/\x07three\x1b]8;;\x07\n"
    written = record(told([DisplayMessage(data={"text/html": html}), out(osc)]))["text/html"]
    assert "one" in written
    assert "two" in written
    assert [value for tag, name, value in Elements(written).attributes if name == "href"] == [
        "https://example.org/"
    ]
