"""The page side of the live area in a plain page. The test plays the kernel."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page, expect
from support.area_page import AreaKernel, AreaPage, numbered
from support.browser import Console, Pages, in_soak, serious_problems

from jupyter_ext.area.module import STATIC

RUNNING = {
    "state": "running",
    "target": "local:lab",
    "name": "lab/7f3a",
    "command": "make all",
    "stop": "yes",
}
SIZE = 10_000  # rows that the area keeps
EXAMPLES = 10 if os.environ.get("PYREPL_STREAM_SOAK", "") in ("", "0") else 50
NEWS = st.one_of(
    st.integers(1, 9),  # forms of a display
    st.integers(1, 120).map(lambda lines: "".join(f"one of {lines}: {number}\n" for number in range(lines))),
    st.sampled_from(
        (
            "\r50 %",
            "\rdone\n",
            "a\nb\nc\n\x1b[3Aup\x1b[3B",
            "\x1b[2J\x1b[H",
            "\x1b[?1049hscreen",
            "\x1b[?1049l",
        )
    ),
)
HOSTILE = "<img src=x onerror='hacked=1'><script>hacked=1</script>"


@pytest.fixture(scope="module")
def reused(browser: Browser) -> Iterator[tuple[Page, Console]]:
    pages = Pages(browser)
    yield pages.new(), pages.console
    pages.close()


@pytest.fixture
def page(reused: tuple[Page, Console]) -> Page:
    """A page for all tests, which saves a second each. Changes to it must end with its document."""
    return reused[0]


@pytest.fixture(autouse=True)
def quiet(console: Console, reused: tuple[Page, Console]) -> Iterator[None]:
    reused[1].errors.clear()
    yield
    assert [*console.errors, *reused[1].errors] == []


@pytest.fixture
def clocked(pages: Pages) -> Page:
    """A page with a clock that the test can advance."""
    page = pages.new()
    page.clock.install()
    return page


def shown(page: Page, *rows: object, **traits: object) -> AreaPage:
    """Show an area with these rows."""
    area = AreaPage(page, **{"status": RUNNING, **traits}).open()
    area.rows(1, rows)
    return area


class TestRows:
    def test_rows_are_shown_as_they_come(self, page: Page) -> None:
        area = AreaPage(page, status=RUNNING).open()
        expect(area.log).to_be_hidden()
        area.rows(1, ["first", "second"])
        area.rows(2, ["second, redrawn", "third"], 1)
        assert area.lines() == ["first", "second, redrawn", "third"]

    def test_rows_of_the_tail_are_shown_before_any_message(self, page: Page) -> None:
        tail = {"type": "rows", "seq": 7, "first": 0, "end": 2, "runs": [[0, ["first", "second"]]]}
        area = AreaPage(page, status=RUNNING, tail=tail).open()
        assert area.lines() == ["first", "second"]
        assert area.next_sent("hello")

    def test_segments_have_the_styles_that_the_kernel_sends(self, page: Page) -> None:
        area = shown(
            page, [["plain ", ""], ["error", "b f1"], [" true", "i f#112233 g#ffeedd"], [" late", "v e"]]
        )
        assert area.lines() == ["plain error true late"]
        error, true, late = (area.log.get_by_text(text) for text in ("error", "true", "late"))
        expect(error).to_have_css("font-weight", "700")
        expect(error).to_have_css("color", "rgb(179, 38, 30)")
        expect(true).to_have_css("color", "rgb(17, 34, 51)")
        expect(true).to_have_css("background-color", "rgb(255, 238, 221)")
        expect(true).to_have_css("font-style", "italic")
        expect(late).to_have_css("background-color", "rgb(31, 31, 31)")

    @pytest.mark.parametrize(("scheme", "colour"), [("light", "#ffff00"), ("dark", "#000080")])
    def test_an_illegible_colour_is_made_legible(self, pages: Pages, scheme: str, colour: str) -> None:
        page = pages.new(color_scheme=scheme)
        area = shown(page, [["seen", f"f{colour}"]])
        area.settle()
        assert serious_problems(page, ".pls-rows") == []

    def test_links_and_addresses_can_be_followed(self, page: Page) -> None:
        area = shown(
            page,
            [["docs", "u", "https://example.org/docs"]],
            "see https://example.org/a?b=c, and (http://x.org/)",
        )
        assert area.lines()[1] == "see https://example.org/a?b=c, and (http://x.org/)"
        links = area.log.get_by_role("link").all()
        addresses = [link.get_attribute("href") for link in links]
        assert addresses == ["https://example.org/docs", "https://example.org/a?b=c", "http://x.org/"]
        assert {(link.get_attribute("rel"), link.get_attribute("target")) for link in links} == {
            ("noopener noreferrer", "_blank")
        }

    def test_a_long_row_is_shown_in_full_on_request(self, page: Page) -> None:
        text = "0123456789" * 1000
        area = shown(page, text, [["ab" * 3000, "b"], ["tail", ""]])
        assert [len(line) < 4100 for line in area.lines()] == [True, True]
        for button in reversed(area.log.get_by_role("button", name="more characters").all()):
            button.click()
        assert area.lines() == [text, "ab" * 3000 + "tail"]

    def test_a_row_of_very_many_colours_is_shortened(self, page: Page) -> None:
        area = shown(page, [["#", f"f#{number:06x}"] for number in range(300)])
        assert area.lines() == ["#" * 150 + "… 150 more characters"]
        area.log.get_by_role("button", name="150 more characters").click()
        assert area.lines() == ["#" * 300]

    def test_rows_that_left_the_area_are_counted(self, page: Page) -> None:
        area = shown(page, *numbered(range(20)))
        area.rows(2, numbered(range(20, 30)), 20, first=12)
        assert area.lines() == numbered(range(12, 30))
        expect(area.log.get_by_text("12 earlier lines in the log only")).to_be_attached()

    def test_a_cleared_page_is_empty(self, page: Page) -> None:
        area = shown(page, *numbered(range(20)))
        area.rows(2, ["new"], 20, first=20)
        assert area.lines() == ["new"]

    def test_blank_rows_at_the_end_do_not_hide_the_rows_before(self, page: Page) -> None:
        area = shown(page, *numbered(range(60)), options={"height": 20})
        area.rows(2, ["hi there", "", [["  ", ""]], {"t": "", "s": "git"}, *[""] * 36], 20, end=60)
        assert area.seen()[-2:] == ["line 19", "hi there"]
        area.rows(3, ["more"], 40, end=60)
        assert area.seen()[-1] == "more"
        assert area.lines()[20:41] == ["hi there", "", "  ", *[""] * 17, "more"]

    def test_rows_that_are_all_blank_are_not_shown(self, page: Page) -> None:
        area = shown(page, "", "")
        area.settle()
        expect(area.log).to_be_hidden()
        area.rows(2, [[["  ", "v"]]], 2)
        expect(area.log).to_be_visible()

    def test_only_rows_near_the_visible_part_have_elements(self, page: Page) -> None:
        area = shown(page, *numbered(range(SIZE)))
        assert area.lines()[-1] == f"line {SIZE - 1}"
        assert len(area.lines()) < 300
        area.log.evaluate("(log) => { log.scrollTop = log.scrollHeight / 2; }")
        middle = area.lines()
        assert len(middle) < 300
        assert f"line {SIZE // 2}" in middle

    @pytest.mark.parametrize("wrap", [False, True])
    def test_every_row_is_found_by_scrolling(
        self, page: Page, wrap: bool, rounds: Callable[[int, int], int]
    ) -> None:
        rows = [f"line {number} " + "word " * (number % 90) for number in range(rounds(200, 700))]
        area = shown(page, *rows, options={"height": 20, "wrap": wrap})
        seen: dict[str, None] = {}
        area.log.press("Home")
        while f"{rows[-1]}" not in seen:
            seen |= dict.fromkeys(area.lines())
            area.log.evaluate("(log) => { log.scrollTop += log.clientHeight; }")
        assert [text for text in seen if text.startswith("line")] == rows

    def test_after_a_flood_the_page_has_the_rows_that_the_kernel_keeps(
        self, page: Page, rounds: Callable[[int, int], int]
    ) -> None:
        size = rounds(100_000, 1_000_000)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        area = AreaPage(page, status=RUNNING).open()
        kernel = AreaKernel(area)
        kernel.answer()
        for number in range(0, size, 5000):
            kernel.take("".join(f"line {number + at} {'x' * 68}\n" for at in range(5000)))
            kernel.push(seconds=0.06)
        area.settle()
        expect(area.last()).to_contain_text(f"line {size - 1} ")
        expect(area.last()).to_be_in_viewport()
        kernel.push_all()
        lines = area.lines()
        assert lines[-1].startswith(f"line {size - 1} ")
        assert len(lines) < 300
        expect(area.log.get_by_text(f"{size - SIZE:,} earlier lines in the log only")).to_be_attached()
        page.get_by_role("button", name="Copy the lines").click()
        expect(page.get_by_role("status")).to_have_text("Copied 10,000 lines")
        assert page.evaluate("() => navigator.clipboard.readText()").splitlines() == kernel.texts()
        assert area.sent("rows") == []

    def test_rows_of_an_alternate_screen_are_removed_with_it(self, page: Page) -> None:
        area = AreaPage(page, status=RUNNING).open()
        kernel = AreaKernel(area)
        kernel.take("before\n\x1b[?1049h\x1b[Hof the editor\nand more\nand more")
        kernel.push_all()
        assert "of the editor" in area.lines()
        kernel.take("\x1b[?1049lafter\n")
        kernel.push_all()
        assert area.lines() == ["before", "after"]


class TestFollowing:
    def test_the_end_is_followed_until_the_reader_scrolls_up(self, page: Page) -> None:
        area = shown(page, *numbered(range(200)))
        area.settle()
        area.log.hover()
        page.mouse.wheel(0, -500)
        to_end = page.get_by_role("button", name="To the end")
        expect(to_end).to_be_visible()
        area.settle()
        before = area.log.evaluate("(log) => log.scrollTop")
        area.rows(2, numbered(range(200, 400)), 200)
        area.settle()
        assert area.log.evaluate("(log) => log.scrollTop") == before
        to_end.click()
        expect(area.last()).to_be_in_viewport()
        expect(to_end).to_be_hidden()
        area.rows(3, ["the newest"], 400)
        expect(area.log.get_by_text("the newest")).to_be_in_viewport()

    def test_rows_that_a_reader_looks_at_stay_when_they_leave_the_area(self, page: Page) -> None:
        area = shown(page, *numbered(range(200)))
        area.log.press("Home")
        expect(area.log.get_by_text("line 0", exact=True)).to_be_in_viewport()
        for seq in range(2, 40):
            at = 200 + 10_000 * seq
            area.rows(seq, numbered(range(at, at + 100)), at, first=at - 5000)
        area.settle()
        assert area.lines()[:30] == numbered(range(30))
        expect(area.log.get_by_text("line 0", exact=True)).to_be_in_viewport()
        area.log.press("End")
        expect(area.log.get_by_text("line 390299")).to_be_in_viewport()

    def test_the_scroll_position_stays_in_an_area_of_many_lines(self, page: Page) -> None:
        area = shown(page, *numbered(range(30_000)))
        area.settle()
        area.log.hover()
        page.mouse.wheel(0, -500)
        expect(page.get_by_role("button", name="To the end")).to_be_visible()
        assert 29_900 < int(area.seen()[0].removeprefix("line ")) < 30_000

    def test_long_rows_are_kept_for_a_scrolled_reader_within_a_limit(self, page: Page) -> None:
        area = shown(page, *numbered(range(200)))
        area.log.press("Home")
        area.settle()
        kept = page.evaluate(
            """async () => {
                const { Store } = await import("./store.js");
                const trim = Store.prototype.trim;
                Store.prototype.trim = function (first) { window.rows = this.rows; return trim.call(this, first); };
                for (let seq = 2, at = 200; at < 3200; at += 2) {
                    const rows = [at, at + 1].map((number) => `line ${number} `.padEnd(30_000, "x"));
                    emit("msg:custom", {type: "rows", seq: seq++, first: Math.max(0, at - 800), end: at + 2, runs: [[at, rows]]}, []);
                }
                const texts = [...rows.values()];
                return [texts.length, texts.reduce((sum, text) => sum + text.length, 0)];
            }"""
        )
        assert kept[1] < 32_100_000 + 802 * 30_000
        assert area.lines()[:20] == numbered(range(20))
        area.log.press("End")
        expect(area.last()).to_contain_text("line 3199 ")

    @pytest.mark.parametrize("held", [False, True])
    @pytest.mark.parametrize("at_once", [False, True])
    def test_an_area_that_is_moved_in_the_page_stays_where_it_was(
        self, page: Page, held: bool, at_once: bool
    ) -> None:
        area = shown(page, *numbered(range(300)))
        area.settle()
        if held:
            area.log.evaluate("(log) => { log.scrollTop = 800; }")
            expect(page.get_by_role("button", name="To the end")).to_be_visible()
        before = area.seen()
        page.evaluate(
            "() => { window.host = document.querySelector('main > div'); window.place = host.parentNode; host.remove(); }"
        )
        if not at_once:
            area.settle()
        page.evaluate("() => place.append(host)")
        assert area.seen() == before
        page.evaluate("() => { host.remove(); place.append(host); }")
        assert area.seen() == before

    def test_selected_text_does_not_move(self, page: Page) -> None:
        area = shown(page, *numbered(range(200)))
        area.settle()
        area.log.get_by_text("line 195").select_text()
        before = area.log.get_by_text("line 195").bounding_box()
        area.rows(2, numbered(range(200, 300)), 200)
        area.settle()
        assert area.log.get_by_text("line 195").bounding_box() == before
        assert page.evaluate("() => getSelection().toString()") == "line 195"

    def test_the_page_below_does_not_jump_when_the_output_shrinks(self, clocked: Page) -> None:
        page = clocked
        area = shown(page, *numbered(range(3)))

        def height() -> float:
            page.clock.run_for(100)  # some frames
            return float(area.log.evaluate("(log) => log.offsetHeight"))

        low = height()
        area.rows(2, numbered(range(3, 12)), 3)
        high = height()
        assert high > low
        area.rows(3, [], 3)
        assert height() == high
        page.clock.run_for(800)
        area.rows(4, numbered(range(3, 12)), 3)
        page.clock.run_for(800)
        area.rows(5, [], 3)
        page.clock.run_for(1000)
        assert height() == high
        page.clock.run_for(1000)
        assert height() == low
        area.rows(6, numbered(range(3, 14)), 3)
        assert height() > high

    def test_lines_are_wrapped_on_request(self, page: Page) -> None:
        area = shown(page, "word " * 500, "last")
        assert area.log.evaluate("(log) => log.scrollWidth > log.clientWidth")
        wrap = page.get_by_role("button", name="Wrap long lines")
        wrap.click()
        expect(wrap).to_have_attribute("aria-pressed", "true")
        area.settle()
        assert area.log.evaluate("(log) => log.scrollWidth === log.clientWidth")
        expect(area.last()).to_be_in_viewport()


class TestRepair:
    def test_rows_that_stay_missing_are_requested(self, clocked: Page) -> None:
        page = clocked
        area = shown(page, "first")
        area.rows(2, ["fifth"], 4)
        page.clock.run_for(2500)
        request = area.next_sent("rows")
        assert (request["first"], request["end"]) == (1, 4)
        area.rows(2, ["second", "third", "fourth"], 1, end=5, to=request["view"])
        page.clock.run_for(100)
        assert [line.text_content() for line in area.log.locator(".pls-block > *").all()] == [
            "first", "second", "third", "fourth", "fifth",
        ]  # fmt: skip

    def test_missing_rows_that_arrive_in_time_are_not_requested(self, clocked: Page) -> None:
        page = clocked
        area = shown(page, "first")
        area.rows(2, ["third"], 2)
        page.clock.run_for(900)
        area.rows(3, ["second"], 1, end=3)
        page.clock.run_for(60_000)
        assert area.sent("rows") == []

    def test_rows_that_the_kernel_will_send_are_not_requested(self, clocked: Page) -> None:
        page = clocked
        area = shown(page, "first")
        area.rows(2, ["fifth"], 4, skipped=[[1, 4]])
        page.clock.run_for(60_000)
        assert area.sent("rows") == []

    def test_a_lost_message_is_noticed(self, clocked: Page) -> None:
        page = clocked
        area = shown(page, "first", "  0 %")
        assert area.next_sent("hello")
        area.rows(3, ["third"], 2)
        page.clock.run_for(3500)
        hello = area.next_sent("hello")
        area.rows(3, ["first", "100 %", "third"], to=hello["view"], done=True)
        page.clock.run_for(60_000)
        assert len(area.sent("hello")) == 2
        assert area.sent("rows") == []
        expect(area.log.get_by_text("100 %")).to_be_visible()

    def test_a_lost_display_is_noticed(self, clocked: Page) -> None:
        page = clocked
        area = shown(page, {"t": "", "d": "plot"})
        area.next_sent("hello")
        area.send({"type": "display", "seq": 2, "id": "plot", "bundle": {"kind": "text", "text": "epoch 1"}})
        area.rows(3, ["second"], 1)
        page.clock.run_for(60_000)
        assert len(area.sent("hello")) == 1
        area.rows(5, ["third"], 2)
        page.clock.run_for(3500)
        hello = area.next_sent("hello")
        area.send(
            {
                "type": "display",
                "seq": 5,
                "to": hello["view"],
                "id": "plot",
                "bundle": {"kind": "text", "text": "epoch 9"},
            }
        )
        area.rows(5, [{"t": "", "d": "plot"}, "second", "third"], to=hello["view"], done=True)
        page.clock.run_for(60_000)
        assert len(area.sent("hello")) == 2
        expect(area.log.get_by_text("epoch 9")).to_be_visible()

    def test_a_display_lost_near_the_end_of_a_replay_is_noticed(self, clocked: Page) -> None:
        page = clocked
        row = {"t": "", "d": "plot"}
        area = shown(page, row)
        hello = area.next_sent("hello")
        area.send({"type": "display", "seq": 2, "id": "plot", "bundle": {"kind": "text", "text": "epoch 1"}})
        area.rows(2, [row], to=hello["view"])
        area.rows(3, [], end=1, to=hello["view"], done=True)  # epoch 2 was lost
        page.clock.run_for(5000)
        hello = area.next_sent("hello")
        area.rows(3, [row], to=hello["view"])
        area.send(
            {
                "type": "display",
                "to": hello["view"],
                "id": "plot",
                "bundle": {"kind": "text", "text": "epoch 2"},
            }
        )
        area.rows(3, [], end=1, to=hello["view"], done=True)
        page.clock.run_for(60_000)
        assert len(area.sent("hello")) == 2
        expect(area.log.get_by_text("epoch 2")).to_be_visible()

    def test_a_tail_older_than_the_messages_is_ignored(self, page: Page) -> None:
        area = shown(page, "first", "  0 %")
        area.rows(2, ["100 %", "third"], 1)
        area.set(tail={"type": "rows", "seq": 1, "first": 0, "end": 2, "runs": [[0, ["first", "  0 %"]]]})
        assert area.lines() == ["first", "100 %", "third"]
        area.set(tail={"type": "rows", "seq": 2, "first": 0, "end": 4, "runs": [[3, ["fourth"]]]})
        assert area.lines() == ["first", "100 %", "third", "fourth"]

    def test_a_model_without_views_requests_nothing(self, clocked: Page) -> None:
        page = clocked
        area = AreaPage(page, status=RUNNING).open(views=0)
        area.rows(1, ["first"])
        area.rows(3, ["third"], 2)
        page.clock.run_for(60_000)
        assert page.evaluate("() => window.sent") == []
        area.show()
        assert area.next_sent("hello")
        page.evaluate("() => document.querySelector('main > div').close()")
        page.clock.run_for(60_000)
        assert len(area.sent("hello")) == 1
        area.show()
        page.clock.run_for(10_000)
        assert len(area.sent("hello")) > 1

    def test_requests_to_a_busy_kernel_do_not_pile_up(self, clocked: Page) -> None:
        page = clocked
        area = shown(page, "first")
        area.rows(3, ["third"], 2)
        page.clock.run_for(600_000)
        assert 3 <= len(area.sent("hello")) <= 16

    def test_the_replay_for_another_page_is_ignored(self, page: Page) -> None:
        area = shown(page, "first")
        area.rows(1, ["other"], to="someone else")
        assert area.lines() == ["first"]

    def test_views_of_one_page_share_the_rows(self, page: Page) -> None:
        area = AreaPage(page, status=RUNNING).open(views=2)
        area.rows(1, ["first"])
        page.evaluate("() => window.show()")
        area.rows(2, ["second"], 1)
        area.settle()
        assert [log.inner_text() for log in page.get_by_role("log").all()] == ["first\nsecond"] * 3
        assert len(area.sent("hello")) == 1
        page.evaluate("() => document.querySelector('main > div').close()")
        area.rows(3, ["third"], 2)
        area.settle()
        assert [log.inner_text() for log in page.get_by_role("log").all()] == ["first\nsecond\nthird"] * 2

    @settings(
        max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.lists(st.tuples(NEWS, st.sampled_from((0.0, 0.06)), st.booleans(), st.booleans()), max_size=12))
    def test_after_any_losses_the_page_ends_with_the_rows_of_the_kernel(
        self, clocked: Page, steps: list[tuple[str | int, float, bool, bool]]
    ) -> None:
        page = clocked
        area = AreaPage(page, status=RUNNING, options={"height": 500}).open()
        kernel = AreaKernel(area, lines=100)
        for news, seconds, lost, answered in steps:
            if isinstance(news, int):
                kernel.show(f"<b>form {news}</b>")
            else:
                kernel.take(news)
            kernel.push(seconds=seconds, lost=lost)
            if answered:
                page.clock.run_for(1500)
                kernel.answer()
        kernel.take("\nend")
        kernel.push_all()
        for _ in range(6):
            page.clock.fast_forward(20_000)
            kernel.answer()
        page.clock.run_for(100)
        assert area.log.locator(".pls-block > *").all_text_contents() == kernel.texts()


class TestHeader:
    def test_the_header_shows_the_command_and_its_state(self, page: Page) -> None:
        status = {
            **RUNNING,
            "job": "train",
            "bytes": 1_234_567,
            "lines": 4321,
            "missing": 2000,
            "detached": True,
        }
        area = AreaPage(page, status=status).open()
        header = area.area.locator(".pls-head").inner_text()
        for text in (
            "running",
            "local:lab",
            "train",
            "make all",
            "1.2 MB",
            "4,321 lines",
            "2.0 kB missing",
            "detached",
        ):
            assert text in header
        area.set(status={**status, "state": "error", "exit_code": 2, "duration": 3.456, "stop": "no"})
        header = area.area.locator(".pls-head").inner_text()
        for text in ("failed", "exit 2", "3.46 s"):
            assert text in header
        expect(page.get_by_role("button", name="Stop")).to_be_hidden()
        expect(page.get_by_role("status")).to_have_text("failed, exit 2")

    def test_the_elapsed_time_advances_without_messages(self, pages: Pages) -> None:
        page = pages.new()
        page.clock.install(time=999_000.0)
        page.clock.pause_at(1_000_000.0)  # loading the page takes no time
        area = AreaPage(page, status={**RUNNING, "started": 999_910.0, "duration": None}).open()
        time_shown = area.area.locator(".pls-time")
        expect(time_shown).to_have_text("1:30")
        page.clock.run_for(5000)
        expect(time_shown).to_have_text("1:35")

    def test_the_clock_of_the_kernel_may_differ(self, pages: Pages) -> None:
        page = pages.new()
        page.clock.install(time=1_000_000.0)
        area = AreaPage(page, status={**RUNNING, "started": 5000.0, "elapsed": 20.5}).open(views=0)
        page.clock.run_for(2000)
        area.show()
        expect(area.area.locator(".pls-time")).to_have_text("22 s")
        page.clock.run_for(3000)
        expect(area.area.locator(".pls-time")).to_have_text("25 s")
        area.set(status={**RUNNING, "started": 5000.0, "elapsed": 27.0})
        expect(area.area.locator(".pls-time")).to_have_text("27 s")

    def test_stop_interrupts_and_a_second_click_kills(self, clocked: Page) -> None:
        page = clocked
        area = AreaPage(page, status=RUNNING).open()
        page.get_by_role("button", name="Stop").dblclick()
        assert area.next_sent("interrupt")
        assert area.sent("kill") == []
        page.clock.run_for(700)
        page.get_by_role("button", name="Kill").click()
        assert area.next_sent("kill")
        page.clock.run_for(20_000)
        expect(page.get_by_role("button", name="Stop")).to_be_visible()

    @pytest.mark.parametrize("rows", [0, 3])
    def test_the_focus_stays_in_the_area_when_the_stop_button_is_hidden(self, page: Page, rows: int) -> None:
        area = shown(page, *numbered(range(rows)))
        stop = page.get_by_role("button", name="Stop")
        stop.focus()
        area.set(status={**RUNNING, "state": "ok", "stop": "no"})
        expect(stop).to_be_hidden()
        expect(area.log if rows else page.get_by_role("button", name="Hide the output")).to_be_focused()

    def test_a_stop_button_that_cannot_reach_the_kernel_names_the_way(self, page: Page) -> None:
        area = AreaPage(page, status={**RUNNING, "stop": "kernel"}).open()
        stop = page.get_by_role("button", name="Stop with the notebook's ■, or press I twice")
        expect(stop).to_have_attribute("aria-disabled", "true")
        stop.press("Enter")
        expect(area.area.locator(".pls-note")).to_contain_text("press I twice")
        assert area.sent("interrupt") == []

    def test_the_output_can_be_folded(self, page: Page) -> None:
        area = shown(page, "text")
        page.get_by_role("button", name="Hide the output").click()
        expect(area.log).to_be_hidden()
        area.rows(2, ["more"], 1)
        page.get_by_role("button", name="Show the output").click()
        assert area.lines() == ["text", "more"]

    def test_an_error_is_shown_once(self, page: Page) -> None:
        area = shown(page, "text")
        failed = {**RUNNING, "state": "error", "error": "ValueError: no"}
        area.set(status=failed)
        expect(area.area.locator(".pls-failure")).to_have_text("ValueError: no")
        area.rows(2, [[["ValueError: ", "f1"], ["no", ""]]], 1)
        expect(area.area.locator(".pls-failure")).to_be_hidden()

    def test_the_end_of_a_long_run_in_a_hidden_tab_is_notified(self, pages: Pages) -> None:
        page = pages.new()
        page.context.grant_permissions(["notifications"])
        page.add_init_script(
            """window.notified = [];
            window.Notification = class { static permission = "granted"; constructor(title) { notified.push(title); } };"""
        )
        ended = {**RUNNING, "state": "ok", "duration": 61.0, "exit_code": 0}
        area = AreaPage(page, status=RUNNING).open()
        bell = page.get_by_role("button", name="Notify me at the end")
        expect(bell).to_have_attribute("aria-pressed", "true")
        area.set(status=ended)
        assert page.evaluate("notified") == []  # the tab was visible
        page.evaluate("() => Object.defineProperty(document, 'hidden', {get: () => true})")
        area.set(status=RUNNING)
        area.set(status={**ended, "duration": 59.0})
        assert page.evaluate("notified") == []  # the run was short
        area.set(status=RUNNING)
        area.set(status=ended)
        assert page.evaluate("notified") == ["lab/7f3a: done"]
        area.set(status=RUNNING)
        bell.click()
        area.set(status=ended)
        assert len(page.evaluate("notified")) == 1


class TestBars:
    BAR: dict[str, Any] = {
        "bar": "1",
        "description": "epochs",
        "current": 12,
        "total": 40,
        "unit": "it",
        "percentage": 30.0,
        "rate": 3.1,
        "remaining": 75.0,
    }

    def test_a_bar_shows_progress_rate_and_time(self, page: Page) -> None:
        AreaPage(page, status=RUNNING, bars=[self.BAR]).open()
        bar = page.get_by_role("progressbar", name="epochs")
        expect(bar).to_have_attribute("aria-valuenow", "30")
        expect(bar).to_have_attribute("aria-valuetext", "30 %, 12/40 it, 3.1/s · 1:15 left")

    def test_bars_keep_their_order_and_their_elements(self, page: Page) -> None:
        area = AreaPage(
            page, status=RUNNING, bars=[self.BAR, {**self.BAR, "bar": "2", "description": "inner"}]
        ).open()
        page.evaluate("() => { document.querySelectorAll('.pls-bar')[1].mine = true; }")
        area.set(
            bars=[
                {"folded": 3},
                {**self.BAR, "bar": "2", "description": "inner", "percentage": 50.0},
                {"more": 9},
            ]
        )
        assert page.evaluate("() => document.querySelector('.pls-bar').mine")
        assert page.get_by_role("progressbar").count() == 1
        expect(area.area.get_by_text("3 finished")).to_be_visible()
        expect(area.area.get_by_text("9 more")).to_be_visible()
        area.set(bars=[])
        expect(area.area.locator(".pls-bars")).to_be_hidden()

    def test_bars_are_visible_with_forced_colours(self, pages: Pages) -> None:
        page = pages.new(forced_colors="active")
        AreaPage(page, status=RUNNING, bars=[self.BAR]).open()
        track = page.get_by_role("progressbar")
        expect(track).to_have_css("border-top-style", "solid")
        colours = track.evaluate(
            "(track) => [track, track.firstChild].map((node) => getComputedStyle(node).backgroundColor)"
        )
        assert colours[0] != colours[1]

    def test_a_bar_without_a_total_does_not_look_stalled(self, pages: Pages) -> None:
        page = pages.new(reduced_motion="reduce")
        AreaPage(page, status=RUNNING, bars=[{"bar": "1", "current": 5}]).open()
        widths = page.get_by_role("progressbar").evaluate(
            "(track) => [track, track.firstChild].map((node) => node.clientWidth)"
        )
        assert widths[0] == widths[1]
        expect(page.get_by_role("progressbar").locator("div")).to_have_css(
            "background-image", re.compile("repeating")
        )

    def test_a_bar_without_a_total_has_no_value(self, page: Page) -> None:
        AreaPage(
            page, status=RUNNING, bars=[{"bar": "1", "current": 1_500_000, "unit": "B", "rate": 2e6}]
        ).open()
        bar = page.get_by_role("progressbar", name="Progress")
        assert bar.get_attribute("aria-valuenow") is None
        expect(bar).to_have_attribute("aria-valuetext", "1.5 MB, 2.0 MB/s")


class TestSources:
    def test_sources_can_be_filtered_out(self, page: Page) -> None:
        rows = [{"t": f"step {number}", "s": f"worker-{number % 2}"} for number in range(6)]
        area = AreaPage(page, status={**RUNNING, "sources": ["worker-0", "worker-1"]}).open()
        area.rows(1, rows)
        assert len(area.lines()) == 6
        chip = page.get_by_role("button", name="worker-1")
        chip.click()
        expect(chip).to_have_attribute("aria-pressed", "false")
        assert area.lines() == ["step 0", "step 2", "step 4"]
        area.rows(2, [{"t": "step 6", "s": "worker-0"}, {"t": "step 7", "s": "worker-1"}], 6)
        assert area.lines() == ["step 0", "step 2", "step 4", "step 6"]
        chip.click()
        assert len(area.lines()) == 8

    def test_a_chip_keeps_focus_and_state_when_a_source_is_added(self, page: Page) -> None:
        area = AreaPage(page, status={**RUNNING, "sources": ["a", "b"]}).open()
        area.rows(1, [{"t": "text", "s": "a"}])
        chip = page.get_by_role("button", name="b", exact=True)
        chip.click()
        area.set(status={**RUNNING, "sources": ["a", "b", "c"]})
        expect(chip).to_be_focused()
        expect(chip).to_have_attribute("aria-pressed", "false")
        chips = page.get_by_role("group", name="Sources").get_by_role("button")
        expect(chips).to_have_text(["a", "b", "c"])

    def test_sources_and_inverse_text_are_distinguishable_with_forced_colours(self, pages: Pages) -> None:
        page = pages.new(forced_colors="active")
        area = AreaPage(page, status={**RUNNING, "sources": ["a", "b"]}).open()
        area.rows(1, [[["inverse", "v f1"], ["plain", ""]]])
        page.get_by_role("button", name="b", exact=True).click()
        dots = page.evaluate(
            "() => [...document.querySelectorAll('.pls-chip')].map((chip) => getComputedStyle(chip, '::before').backgroundColor)"
        )
        assert dots[0] != dots[1]
        area.settle()
        inverse, plain = (
            area.log.get_by_text(text, exact=True).evaluate(
                "(node) => { const of = getComputedStyle(node); return [of.color, of.backgroundColor]; }"
            )
            for text in ("inverse", "plain")
        )
        assert inverse[0] != plain[0]
        assert inverse[0] != inverse[1] != plain[1]

    def test_output_without_a_source_can_be_filtered_too(self, page: Page) -> None:
        area = AreaPage(page, status={**RUNNING, "sources": ["", "git"]}).open()
        area.rows(1, ["plain", {"t": "of git", "s": "git"}])
        page.get_by_role("button", name="output", exact=True).click()
        assert area.lines() == ["of git"]

    def test_one_source_needs_no_chips(self, page: Page) -> None:
        AreaPage(page, status={**RUNNING, "sources": ["git"]}).open()
        expect(page.get_by_role("group", name="Sources")).to_be_hidden()


class TestDisplays:
    PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="

    def test_a_display_is_shown_between_the_lines_and_updated_in_place(self, page: Page) -> None:
        area = shown(page, "before", {"t": "Figure", "d": "plot"}, "after")
        area.settle()
        assert area.next_sent("displays")["ids"] == ["plot"]
        area.send(
            {
                "type": "display",
                "id": "plot",
                "bundle": {"kind": "image", "src": self.PIXEL, "width": 40, "height": 30},
            }
        )
        image = area.log.get_by_role("img")
        expect(image).to_have_js_property("width", 40)
        area.send({"type": "display", "id": "plot", "bundle": {"kind": "text", "text": "a\n b"}})
        assert area.lines()[1] == "Figurea\n b"
        expect(image).to_have_count(0)

    def test_a_display_that_becomes_visible_again_is_not_rebuilt(self, page: Page) -> None:
        area = shown(page, {"t": "", "d": "plot"}, {"t": "", "d": "plot"}, *numbered(range(300)))
        area.send({"type": "display", "id": "plot", "bundle": {"kind": "html", "html": "<b>epoch 1</b>"}})
        bold = area.log.locator("b")
        area.log.press("Home")
        expect(bold.first).to_be_in_viewport()
        page.evaluate("() => document.querySelectorAll('.pls-html').forEach((node) => { node.mine = true; })")
        area.log.press("End")
        expect(bold.first).not_to_be_in_viewport()
        area.log.press("Home")
        expect(bold.first).to_be_in_viewport()
        assert page.evaluate(
            "() => [...document.querySelectorAll('.pls-html')].map((node) => node.mine)"
        ) == [True, True]
        area.log.press("End")
        area.send({"type": "display", "id": "plot", "bundle": {"kind": "html", "html": "<b>epoch 9</b>"}})
        area.log.press("Home")
        expect(bold).to_have_text(["epoch 9", "epoch 9"])

    def test_in_a_flood_new_rows_reuse_the_elements_of_old_ones(self, page: Page) -> None:
        area = shown(page, *numbered(range(790)), {"t": "", "d": "plot"}, *numbered(range(791, 800)))
        area.send({"type": "display", "id": "plot", "bundle": {"kind": "html", "html": "<b>epoch 1</b>"}})
        expect(area.log.locator("b")).to_be_visible()
        places = (
            "() => { window.places ??= [...document.querySelectorAll('.pls-block')]; return places.length; }"
        )
        count = page.evaluate(places)
        area.rows(3, numbered(range(50_000, 50_800)), 50_000, first=50_000)
        assert area.seen()[-1] == "line 50799"
        assert area.log.locator("b").count() == 0
        assert page.evaluate("() => places.filter((place) => place.isConnected).length") == count
        area.log.press("Home")
        assert area.seen()[:2] == ["line 50000", "line 50001"]

    def kept(self, area: AreaPage) -> list[str]:
        """Return the ids of the displays that the page has, after one more message."""
        kept: list[str] = area.page.evaluate(
            """async () => {
                const { Store } = await import("./store.js");
                const onMessage = Store.prototype.onMessage;
                Store.prototype.onMessage = function (...message) { window.store = this; return onMessage.apply(this, message); };
                emit("msg:custom", {type: "note", text: ""}, []);
                return [...store.displays.keys()];
            }"""
        )
        return kept

    def test_displays_whose_rows_never_arrived_are_dropped(self, page: Page) -> None:
        area = AreaPage(page, status=RUNNING).open()
        for number in range(60):
            area.send(
                {
                    "type": "display",
                    "seq": 2 * number + 1,
                    "id": str(number),
                    "bundle": {"kind": "text", "text": f"form {number}"},
                }
            )
            area.rows(2 * number + 2, ["text"], 1000 * number, first=1000 * number)
        assert len(self.kept(area)) < 10

    def test_displays_whose_rows_are_gone_are_dropped(self, page: Page) -> None:
        area = AreaPage(page, status=RUNNING).open()
        area.send(
            *(
                {
                    "type": "display",
                    "seq": 1 + number,
                    "id": str(number),
                    "bundle": {"kind": "text", "text": "x"},
                }
                for number in range(4)
            )
        )
        area.rows(5, [{"t": "", "d": str(number)} for number in range(30)])
        area.send(
            *(
                {
                    "type": "display",
                    "seq": 6 + number,
                    "id": str(number),
                    "bundle": {"kind": "text", "text": "x"},
                }
                for number in range(30)
            )
        )
        assert len(self.kept(area)) == 30
        area.rows(36, ["text"] * 10, 0, end=15)  # some overwritten, some of an alternate screen
        assert len(self.kept(area)) < 10

    def test_a_dropped_display_is_requested_when_its_row_arrives(self, page: Page) -> None:
        area = shown(page, "text")
        area.send(
            *(
                {
                    "type": "display",
                    "seq": 2 + number,
                    "id": str(number),
                    "bundle": {"kind": "text", "text": "x"},
                }
                for number in range(10)
            )
        )
        area.rows(12, [{"t": "", "d": str(number)} for number in range(10)], 1)
        request = area.next_sent("displays")
        assert "0" in request["ids"]
        assert "9" not in request["ids"]

    def test_sizes_are_bounded(self, page: Page) -> None:
        parts = (
            "<p style='height:999999px;width:120px'>x</p>",
            "<p style='padding:1e7px;font-size:99999pt'>x</p>",
            "<table height=99999999 width=90><tr><td rowspan=65534 colspan=2>x</td></tr></table>",
            "<p style='height:3999in'>x</p>",
        )
        area = shown(
            page, *({"t": "", "d": str(number)} for number in range(len(parts))), options={"height": 500}
        )
        for number, html in enumerate(parts):
            area.send({"type": "display", "id": str(number), "bundle": {"kind": "html", "html": html}})
        area.settle()
        boxes = area.log.locator(".pls-display")
        assert [box.evaluate("(node) => node.clientHeight < 100") for box in boxes.all()] == [
            True,
            True,
            True,
            False,
        ]
        assert boxes.last.evaluate("(node) => node.clientHeight") <= 20_000
        expect(boxes.first.locator("p")).to_have_css("width", "120px")
        expect(boxes.nth(2).locator("td")).to_have_attribute("colspan", "2")
        assert boxes.nth(2).locator("td").get_attribute("rowspan") is None

    def test_of_many_displays_invisible_ones_are_removed(self, page: Page) -> None:
        area = shown(page, *({"t": "", "d": str(number)} for number in range(400)))
        area.send(
            *(
                {"type": "display", "id": str(number), "bundle": {"kind": "html", "html": "<b>x</b>"}}
                for number in range(400)
            )
        )
        area.log.press("Home")
        for _ in range(20):
            area.settle()
            area.log.evaluate("(log) => { log.scrollTop += log.clientHeight; }")
        area.settle()
        assert area.log.locator("b").count() < 250


class TestHostileOutput:
    ADDRESSES = (
        "javascript:hacked=1",
        "data:text/html,<script>hacked=1</script>",
        " javascript:hacked=1",
        "vbscript:x",
        "http:/lab/api/shutdown",
        "http:logout",
        "https:x",
    )
    HTML = (
        HOSTILE,
        "<svg onload='hacked=1'><script>hacked=1</script></svg>",
        "<a href='javascript:hacked=1'>a</a><a href=' jav\tascript:hacked=1'>b</a>",
        "<a href='http:/lab/api/shutdown'>a</a><a href='http:logout'>b</a><a href='//x'>c</a><a href='/x'>d</a>",
        "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe><object data='x'></object><embed src='x'>",
        "<form action='/x'><input name='y' autofocus onfocus='hacked=1'></form>",
        "<style>body { display: none }</style><link rel='stylesheet' href='/x.css'><meta http-equiv='refresh' content='0;url=/x'>",
        "<div style='background: url(/x.png); position: fixed; inset: 0; color: expression(hacked=1)'>x</div>",
        "<img src='/x.png'><img src='data:text/html,x' onload='hacked=1'><video src='/x' onerror='hacked=1'></video>",
        "<math><mtext><table><mglyph><style><img src=x onerror='hacked=1'></style></mglyph></table></mtext></math>",
        "<template><img src=x onerror='hacked=1'></template><noscript><img src=x onerror='hacked=1'></noscript>",
        "<div id='x' name='model' class='jp-Cell' data-x='y' tabindex='0' onclick='hacked=1'>x</div>",
        "<base href='https://example.org/'><b><i>unclosed",
    )

    def safe(self, area: AreaPage) -> None:
        """Check that nothing ran or was fetched, and that nothing in the page could run."""
        area.settle()
        page = area.page
        assert page.evaluate("() => typeof window.hacked") == "undefined"
        dangerous = "script, iframe, object, embed, form:not(.pls-question, [role=search]), link, meta, base, style, video"
        assert area.area.locator(dangerous).count() == 0
        attributes = page.evaluate(
            "() => [...document.querySelectorAll('.pls *')].flatMap((node) => node.getAttributeNames())"
        )
        assert [name for name in attributes if name.startswith("on")] == []
        links = page.evaluate(
            "() => [...document.querySelectorAll('.pls a[href]')].map((node) => [node.protocol, node.host])"
        )
        assert {protocol for protocol, _ in links} <= {"https:", "http:", "mailto:"}
        assert "localhost" not in {host for _, host in links}
        fetched = page.evaluate("() => performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert sorted(url.rpartition("/")[2] for url in fetched) == sorted(
            path.name for path in STATIC.iterdir()
        )

    def test_hostile_text_is_shown_as_text_everywhere(self, page: Page) -> None:
        status = {
            **RUNNING,
            "target": HOSTILE,
            "job": HOSTILE,
            "name": HOSTILE,
            "command": HOSTILE,
            "error": HOSTILE,
            "sources": [HOSTILE, "x"],
        }
        bar = {"bar": HOSTILE, "description": HOSTILE, "unit": HOSTILE, "current": 1, "total": 2}
        area = AreaPage(
            page, status=status, bars=[bar], question={"request": 1, "prompt": HOSTILE, "password": False}
        ).open()
        area.rows(1, [HOSTILE, [[HOSTILE, HOSTILE]], {"t": HOSTILE, "s": HOSTILE}])
        area.send({"type": "note", "text": HOSTILE})
        assert area.lines() == [HOSTILE] * 3
        page.get_by_role("button", name="Search the whole log").click()
        page.keyboard.type("img")
        search = area.next_sent("search")
        while search["text"] != "img":
            search = area.next_sent("search")
        area.send(
            {
                "type": "found",
                "to": search["view"],
                "search": search["search"],
                "done": True,
                "count": 1,
                "lines": [[0, HOSTILE]],
            }
        )
        expect(area.area.get_by_role("listitem").first).to_contain_text(HOSTILE)
        self.safe(area)

    def test_links_that_would_run_code_are_text(self, page: Page) -> None:
        area = shown(page, *[[["text", "u", address]] for address in self.ADDRESSES])
        assert area.lines() == ["text"] * len(self.ADDRESSES)
        assert area.log.get_by_role("link").count() == 0
        self.safe(area)

    def displays(self, page: Page, *bundles: dict[str, str]) -> AreaPage:
        """Show each display in a row of its own, and a row after them."""
        area = shown(
            page,
            *({"t": "", "d": str(number)} for number in range(len(bundles))),
            "after",
            options={"height": 500},
        )
        for number, bundle in enumerate(bundles):
            area.send({"type": "display", "id": str(number), "bundle": bundle})
        expect(area.log.get_by_text("after")).to_be_visible()
        return area

    def test_html_is_rebuilt_from_harmless_elements(self, page: Page) -> None:
        area = self.displays(page, *({"kind": "html", "html": html} for html in self.HTML))
        expect(area.log.locator(".pls-html")).to_have_count(len(self.HTML))
        self.safe(area)
        kept = page.evaluate(
            "() => [...document.querySelectorAll('.pls-html *')].flatMap((node) => node.getAttributeNames())"
        )
        assert set(kept) <= {"href", "rel", "target", "style", "src"}

    def test_images_are_data_uris(self, page: Page) -> None:
        sources = ("javascript:hacked=1", "/x.png", "data:text/html,x", "https://example.org/x.png")
        area = self.displays(page, *({"kind": "image", "src": source} for source in sources))
        expect(area.log.get_by_text("an image that cannot be shown")).to_have_count(len(sources))
        self.safe(area)

    def test_a_display_of_unknown_kind_is_a_note(self, page: Page) -> None:
        area = shown(page, {"t": "", "d": "1"})
        area.send({"type": "display", "id": "1", "bundle": {"kind": "constructor", "text": HOSTILE}})
        expect(area.log.get_by_text(HOSTILE)).to_be_visible()
        self.safe(area)


class TestSearch:
    def search(self, area: AreaPage, text: str) -> Any:
        area.page.get_by_role("searchbox").fill(text)
        area.page.keyboard.press("Enter")
        return area.next_sent("search")

    def found(self, area: AreaPage, search: Any, lines: list[tuple[int, str]], **more: object) -> None:
        message = {
            "type": "found",
            "to": search["view"],
            "search": search["search"],
            "done": True,
            "count": len(lines),
            "lines": lines,
            "searched": 100,
        }
        area.send({**message, **more})

    def test_results_of_a_search_are_listed_and_lead_to_their_rows(self, page: Page) -> None:
        area = shown(page, *numbered(range(300)))
        area.log.press("/")
        search = self.search(area, "Needle (")
        assert search["text"] == "Needle ("
        self.found(area, search, [(40, "a needle (here)")], done=False, searched=5000)
        expect(area.area.get_by_text("1 found in 5,000 lines so far")).to_be_visible()
        self.found(area, search, [(250, "NEEDLE (there)")], count=2)
        expect(area.area.get_by_text("2 found in 100 lines", exact=True)).to_be_visible()
        expect(area.area.locator("mark")).to_have_text(["needle (", "NEEDLE ("])
        page.get_by_role("button", name="a needle").click()
        expect(area.log.get_by_text("line 40", exact=True)).to_be_in_viewport()

    def test_a_search_in_a_running_log_names_its_extent_and_can_be_repeated(self, page: Page) -> None:
        area = shown(page, "text")
        area.log.press("/")
        first = self.search(area, "x")
        page.keyboard.press("Enter")  # the search has started
        self.found(area, first, [(0, "x")], searched=1234)
        expect(area.area.get_by_text("1 found in 1,234 lines", exact=True)).to_be_visible()
        page.keyboard.press("Enter")
        again = area.next_sent("search")
        assert (again["text"], again["search"]) == ("x", first["search"] + 1)
        area.set(status={**RUNNING, "state": "ok", "stop": "no"})
        self.found(area, again, [(0, "x"), (5, "x")], searched=2000)
        expect(area.area.get_by_text("2 found", exact=True)).to_be_visible()

    def test_a_note_tells_the_reader_that_a_line_is_in_the_log_only(self, page: Page) -> None:
        area = AreaPage(page, status=RUNNING).open()
        area.rows(1, numbered(range(100, 200)), 100, first=100)
        area.log.press("/")
        self.found(area, self.search(area, "x"), [(5, "x")])
        page.get_by_role("listitem").get_by_role("button").click()
        expect(area.area.locator(".pls-note")).to_contain_text("Line 6 is in the log only")

    def test_a_result_far_after_the_scrolled_position_is_shown(self, page: Page) -> None:
        area = shown(page, *numbered(range(200)))
        area.log.press("Home")
        area.settle()
        for seq, at in enumerate(range(200, 40_000, 1990), 2):
            area.rows(seq, numbered(range(at, at + 1990)), at, first=max(0, at - 8000))
        area.log.press("/")
        self.found(area, self.search(area, "x"), [(39_990, "line 39990")])
        page.get_by_role("listitem").get_by_role("button").click()
        expect(area.log.get_by_text("line 39990")).to_be_in_viewport()
        expect(area.log.locator(".pls-flash")).to_have_text("line 39990")

    def test_a_line_kept_for_another_view_counts_as_in_the_log_only(self, page: Page) -> None:
        area = AreaPage(page, status=RUNNING).open(views=2)
        area.rows(1, numbered(range(200)))
        area.settle()
        page.get_by_role("log").last.press("Home")
        area.rows(2, numbered(range(10_000, 10_200)), 10_000, first=10_000)
        area.log.press("/")
        self.found(area, self.search(area, "x"), [(20, "line 20")])
        page.get_by_role("listitem").get_by_role("button").first.click()
        expect(area.area.locator(".pls-note")).to_contain_text("Line 21 is in the log only")

    def test_a_result_of_a_filtered_source_shows_that_source_again(self, page: Page) -> None:
        area = AreaPage(page, status={**RUNNING, "sources": ["a", "b"]}).open()
        area.rows(1, [{"t": f"line {number}", "s": "ab"[number % 2]} for number in range(600)])
        chip = page.get_by_role("button", name="a", exact=True)
        chip.click()
        area.log.press("/")
        self.found(area, self.search(area, "x"), [(300, "line 300")])
        page.get_by_role("listitem").get_by_role("button").click()
        expect(area.log.locator(".pls-flash")).to_have_text("line 300")
        expect(area.log.locator(".pls-flash")).to_be_in_viewport()
        expect(chip).to_have_attribute("aria-pressed", "true")

    def test_results_of_an_older_search_are_ignored(self, page: Page) -> None:
        area = shown(page, "text")
        area.log.press("/")
        older = self.search(area, "x")
        newer = self.search(area, "y")
        self.found(area, older, [(0, "x")])
        self.found(area, newer, [])
        expect(area.area.get_by_text("not found")).to_be_visible()
        expect(page.get_by_role("listitem")).to_have_count(0)

    def test_closing_ends_the_search(self, page: Page) -> None:
        area = shown(page, "text")
        page.get_by_role("button", name="Search the whole log").click()
        self.search(area, "x")
        page.keyboard.press("Escape")
        assert area.next_sent("search")["text"] == ""
        expect(page.get_by_role("searchbox")).to_be_hidden()
        expect(page.get_by_role("button", name="Search the whole log")).to_be_focused()

    def test_many_results_are_not_all_listed(self, page: Page) -> None:
        area = shown(page, "text")
        area.log.press("/")
        self.found(area, self.search(area, "x"), [(number, "x") for number in range(2000)], count=54321)
        expect(area.area.get_by_text("54,321 found")).to_be_visible()
        expect(page.get_by_role("listitem")).to_have_count(501)


class TestActions:
    def test_the_whole_log_is_saved_part_by_part(self, page: Page) -> None:
        area = shown(page, "text")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save the whole log").click()
            for part, data in enumerate([b"first\n", "zweite \N{EURO SIGN}\n".encode(), b""]):
                request = area.next_sent("log")
                assert request["part"] == part
                area.send(
                    {
                        "type": "log",
                        "to": request["view"],
                        "log": request["log"],
                        "part": part,
                        "done": not data,
                        "name": "lab/7f3a.log",
                    },
                    buffers=[data],
                )
        assert download.value.suggested_filename == "lab-7f3a.log"
        assert download.value.path().read_text(encoding="utf-8") == "first\nzweite \N{EURO SIGN}\n"

    def test_the_log_may_come_as_text(self, page: Page) -> None:
        area = shown(page, "text")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save the whole log").click()
            request = area.next_sent("log")
            area.send(
                {
                    "type": "log",
                    "to": request["view"],
                    "log": request["log"],
                    "part": 0,
                    "done": True,
                    "name": "a.log",
                    "text": "all\n",
                }
            )
        assert download.value.path().read_text() == "all\n"

    def test_the_lines_are_copied_as_text(self, page: Page) -> None:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        area = shown(page, "plain", [["styled", "b"], [" text", ""]], {"t": "of a source", "s": "x"})
        page.get_by_role("button", name="Copy the lines").click()
        expect(page.get_by_role("status")).to_have_text("Copied 3 lines")
        assert page.evaluate("() => navigator.clipboard.readText()") == "plain\nstyled text\nof a source\n"
        assert area.lines() == ["plain", "styled text", "of a source"]

    @pytest.mark.parametrize("password", [False, True])
    def test_input_is_sent(self, page: Page, password: bool) -> None:
        area = AreaPage(page, status=RUNNING).open()
        area.set(
            question={"request": 12, "prompt": "Name: ", "password": password},
            status={**RUNNING, "input": True},
        )
        expect(area.area.locator(".pls-state")).to_have_text("waiting for input")
        box = page.get_by_label("Name:")
        expect(box).to_have_attribute("type", "password" if password else "text")
        box.fill("Ada")
        box.press("Enter")
        request = area.next_sent("input")
        assert request == {"type": "input", "view": request["view"], "request": 12, "text": "Ada"}
        expect(box).not_to_be_editable()
        box.press("Enter")
        area.send({"type": "answered", "to": request["view"], "request": 12, "ok": True, "text": ""})
        expect(box).not_to_be_editable()
        expect(box).to_have_value("" if password else "Ada")
        area.set(question={"request": 13, "prompt": "Again: ", "password": False})
        box = page.get_by_label("Again:")
        expect(box).to_have_value("")
        box.press("Control+d")
        assert area.next_sent("input") == {**request, "request": 13, "text": None}
        area.set(question=None)
        expect(box).to_be_hidden()

    @pytest.mark.parametrize("rows", [[], ["a row"]])
    def test_between_two_requests_the_focus_stays_in_the_area(self, page: Page, rows: list[str]) -> None:
        area = AreaPage(page, status=RUNNING).open()
        area.rows(1, rows)
        for request in (12, 13):
            area.set(question={"request": request, "prompt": "Name: ", "password": False})
            expect(page.get_by_label("Name:")).to_be_focused()
            area.set(question=None)
            expect(area.log if rows else area.area.locator("[aria-expanded]")).to_be_focused()

    @pytest.mark.parametrize("password", [False, True])
    def test_a_rejected_answer_can_be_repeated(self, page: Page, password: bool) -> None:
        area = AreaPage(
            page, status=RUNNING, question={"request": 12, "prompt": "Name: ", "password": password}
        ).open()
        box = page.get_by_label("Name:")
        box.fill("Ada")
        box.press("Enter")
        request = area.next_sent("input")
        area.send(
            {"type": "answered", "to": request["view"], "request": 11, "ok": False, "text": "of another"}
        )
        expect(box).not_to_be_editable()
        area.send(
            {
                "type": "answered",
                "to": request["view"],
                "request": 12,
                "ok": False,
                "text": "the session is gone",
            }
        )
        expect(box).to_be_editable()
        expect(box).to_have_value("" if password else "Ada")
        expect(area.area.locator(".pls-note")).to_have_text("the session is gone")
        box.press("Enter")
        assert area.next_sent("input")["text"] == ("" if password else "Ada")

    def test_an_unconfirmed_answer_can_be_repeated(self, clocked: Page) -> None:
        area = AreaPage(
            clocked, status=RUNNING, question={"request": 12, "prompt": "Name: ", "password": False}
        ).open()
        box = clocked.get_by_label("Name:")
        box.fill("Ada")
        clocked.evaluate("() => { window.offline = true; }")
        box.press("Enter")
        expect(area.area.locator(".pls-note")).to_have_text(
            "The answer was not sent, because the kernel is gone."
        )
        expect(box).to_be_hidden()  # until a message of the kernel comes
        clocked.evaluate("() => { window.offline = false; }")
        area.rows(1, ["text"])
        box.press("Enter")
        expect(box).not_to_be_editable()
        clocked.clock.run_for(3100)
        expect(box).to_be_editable()
        expect(box).to_have_value("Ada")

    def test_typed_keys_go_into_the_form_of_each_request_in_turn(self, page: Page) -> None:
        area = AreaPage(
            page, status=RUNNING, question={"request": 1, "prompt": "One: ", "password": False}
        ).open()
        expect(page.get_by_label("One:")).to_be_focused()
        page.keyboard.type("first")
        page.keyboard.press("Shift+Enter")  # meant to run the next cell
        assert area.sent("input") == []
        page.keyboard.press("Enter")
        assert area.next_sent("input")["text"] == "first"
        expect(page.get_by_label("One:")).to_be_focused()
        area.set(question={"request": 2, "prompt": "Two: ", "password": False})
        page.keyboard.type("second")
        page.get_by_role("button", name="Send").click()
        assert area.next_sent("input")["text"] == "second"
        area.set(question=None)
        area.set(question={"request": 3, "prompt": "Three: ", "password": False})
        expect(page.get_by_label("Three:")).to_be_focused()

    @pytest.mark.parametrize("where", ["typing", "reading", "on a button"])
    def test_a_request_does_not_take_the_focus_from_elsewhere(self, page: Page, where: str) -> None:
        area = shown(page, *numbered(range(100)))
        if where == "typing":
            page.evaluate("() => document.body.append(document.createElement('textarea'))")
            page.locator("textarea").focus()
        elif where == "reading":
            area.log.get_by_text("line 95").select_text()
        else:
            page.get_by_role("button", name="Wrap long lines").focus()
        focused = page.evaluate_handle("document.activeElement")
        area.set(question={"request": 1, "prompt": "One: ", "password": False})
        area.settle()
        expect(page.get_by_label("One:")).to_be_visible()
        assert page.evaluate("(focused) => document.activeElement === focused", focused)

    def test_a_long_prompt_leaves_room_for_the_input(self, page: Page) -> None:
        area = AreaPage(
            page, status=RUNNING, question={"request": 1, "prompt": "Go on? ", "password": False}
        ).open()
        label, box = area.area.locator(".pls-question label"), area.area.locator(".pls-question input")
        places = [label.bounding_box(), box.bounding_box()]
        assert places[0]["x"] + places[0]["width"] < places[1]["x"]  # type: ignore[index]
        area.set(
            question={
                "request": 2,
                "prompt": "Are you sure that all of it is to be deleted? " * 4,
                "password": False,
            }
        )
        places = [label.bounding_box(), box.bounding_box()]
        assert places[0]["y"] + places[0]["height"] <= places[1]["y"]  # type: ignore[index]
        assert places[1]["width"] > 400  # type: ignore[index]

    @pytest.mark.parametrize("doing", ["saving", "selecting", "searching", "reading"])
    def test_the_kernel_is_notified_while_the_reader_is_busy(self, clocked: Page, doing: str) -> None:
        page = clocked
        area = shown(page, *numbered(range(100)))
        page.clock.run_for(5000)
        assert area.sent("busy") == []
        if doing == "saving":
            page.get_by_role("button", name="Save the whole log").click()
        elif doing == "selecting":
            area.log.get_by_text("line 95").select_text()
        elif doing == "searching":
            area.log.press("/")
            page.clock.run_for(5000)
            assert area.sent("busy") == []  # the input is empty
            page.keyboard.type("x")
        else:
            area.log.press("Home")
        assert area.next_sent("busy") == {"type": "busy", "view": area.sent("hello")[0]["view"]}
        page.clock.run_for(30_000)
        assert 7 <= len(area.sent("busy")) <= 11
        if doing == "saving":
            request = area.next_sent("log")
            area.send(
                {
                    "type": "log",
                    "to": request["view"],
                    "log": request["log"],
                    "part": 0,
                    "done": True,
                    "name": "a.log",
                    "text": "all\n",
                }
            )
        elif doing == "selecting":
            page.evaluate("() => getSelection().removeAllRanges()")
        elif doing == "searching":
            page.keyboard.press("Escape")
        else:
            page.keyboard.press("End")
        page.clock.run_for(1000)
        told = len(area.sent("busy"))
        page.clock.run_for(30_000)
        assert len(area.sent("busy")) == told

    def test_a_folded_or_unreachable_area_reports_no_busy_reader(self, clocked: Page) -> None:
        page = clocked
        area = shown(page, *numbered(range(100)), status={**RUNNING, "stop": "kernel"})
        area.log.press("Home")
        page.clock.run_for(10_000)
        assert area.sent("busy") == []
        page.get_by_role("button", name="Hide the output").click()
        area.set(status=RUNNING)
        page.clock.run_for(10_000)
        assert area.sent("busy") == []
        page.get_by_role("button", name="Show the output").click()
        page.clock.run_for(10_000)
        assert area.sent("busy")


class TestTheKernelThatGoes:
    QUESTION = {"request": 12, "prompt": "Name: ", "password": False}

    @staticmethod
    def gone(area: AreaPage) -> Any:
        return area.area.locator(".pls-gone")

    def assert_gone(self, area: AreaPage, time: str) -> None:
        expect(self.gone(area)).to_contain_text("The kernel of this area is gone.")
        expect(area.area.locator(".pls-state")).to_have_text("was running")
        expect(area.area.get_by_role("button", name="Stop")).to_be_hidden()
        expect(area.page.get_by_label("Name:")).to_be_hidden()
        area.page.clock.run_for(5000)
        expect(area.area.locator(".pls-time")).to_have_text(time)

    def assert_there(self, area: AreaPage) -> None:
        expect(self.gone(area)).to_be_hidden()
        expect(area.area.locator(".pls-state")).to_have_text("running")
        expect(area.area.get_by_role("button", name="Stop")).to_be_visible()

    def test_a_closed_comm_means_that_the_kernel_is_gone(self, clocked: Page) -> None:
        status = {**RUNNING, "elapsed": 20.0}
        area = AreaPage(clocked, status=status, question=self.QUESTION).open()
        self.assert_there(area)
        area.end_comm()
        self.assert_gone(area, "20 s")

    def test_a_failed_send_means_that_the_kernel_is_gone_until_a_message_comes(self, clocked: Page) -> None:
        status = {**RUNNING, "elapsed": 20.0}
        area = AreaPage(clocked, status=status, question=self.QUESTION).open()
        clocked.evaluate("() => { window.offline = true; }")
        area.area.get_by_role("button", name="Stop").click()
        expect(area.area.locator(".pls-note")).to_be_hidden()
        self.assert_gone(area, "20 s")
        area.set(status={**RUNNING, "elapsed": 26.0})
        self.assert_there(area)
        expect(clocked.get_by_label("Name:")).to_be_visible()

    def test_a_silent_kernel_is_pinged_and_a_dead_one_is_noticed(self, clocked: Page) -> None:
        area = shown(clocked, "text", status={**RUNNING, "elapsed": 20.0}, question=self.QUESTION)
        clocked.evaluate("() => { window.offline = true; }")
        clocked.clock.run_for(9000)
        self.assert_there(area)
        clocked.clock.run_for(7000)
        self.assert_gone(area, "20 s")

    def test_the_controls_stay_while_the_kernel_does_not_respond(self, clocked: Page) -> None:
        area = shown(clocked, "text", status={**RUNNING, "elapsed": 20.0})
        clocked.clock.run_for(16_000)
        request = area.next_sent("ping")
        expect(self.gone(area)).to_be_hidden()
        clocked.clock.run_for(14_000)
        expect(self.gone(area)).to_contain_text(re.compile("The kernel has not responded for 3. s"))
        expect(area.area.get_by_role("button", name="Stop")).to_be_visible()
        expect(area.area.locator(".pls-time")).to_have_text(re.compile("^5. s$"))
        area.send({"type": "pong", "to": request["view"]})
        self.assert_there(area)

    def test_a_kernel_that_answers_pings_is_alive(self, clocked: Page) -> None:
        area = shown(clocked, "text")
        for _ in range(5):
            clocked.clock.run_for(16_000)
            area.send({"type": "pong", "to": area.next_sent("ping")["view"]})
            self.assert_there(area)

    def test_a_kernel_that_cannot_answer_during_a_cell_may_be_silent(self, clocked: Page) -> None:
        area = shown(clocked, "text", status={**RUNNING, "stop": "kernel"})
        clocked.clock.run_for(600_000)
        expect(self.gone(area)).to_be_hidden()
        assert len(area.sent("ping")) < 8

    def test_after_the_end_the_kernel_may_be_silent_without_requests(self, clocked: Page) -> None:
        area = shown(clocked, "text", status={**RUNNING, "state": "ok", "duration": 1.0, "stop": "no"})
        clocked.clock.run_for(600_000)
        expect(self.gone(area)).to_be_hidden()
        assert area.sent("ping") == []
        area.area.get_by_role("button", name="Save the whole log").click()
        clocked.clock.run_for(30_000)
        expect(self.gone(area)).to_contain_text("The kernel has not responded")

    @pytest.mark.parametrize("noticed", [True, False])
    def test_all_views_switch_to_the_model_of_a_new_kernel(self, clocked: Page, noticed: bool) -> None:
        area = AreaPage(clocked, status=RUNNING).open(views=2)
        area.rows(1, ["old"])
        if noticed:
            area.end_comm()
        area.revive(status={**RUNNING, "command": "of the new one"})
        clocked.clock.run_for(1100)
        expect(clocked.get_by_text("of the new one")).to_have_count(2)
        self.assert_there(area)
        assert clocked.evaluate("Object.values(old.listeners).every((calls) => !calls.size)")
        area.rows(1, ["new"])
        assert area.lines() == ["new"]
        assert clocked.locator("section.pls").count() == 2
        area.end_comm()
        area.revive(status={**RUNNING, "command": "of a third"})
        clocked.clock.run_for(1100)
        expect(clocked.get_by_text("of a third")).to_have_count(2)
        clocked.evaluate("() => document.querySelectorAll('main > div').forEach((host) => host.close())")
        assert clocked.locator("section.pls").count() == 0


class TestEverybody:
    STATES: dict[str, dict[str, Any]] = {
        "running": {
            "status": {**RUNNING, "sources": ["a", "b"], "missing": 5},
            "bars": [TestBars.BAR, {"folded": 2}],
        },
        "asking": {"status": RUNNING, "question": {"request": 1, "prompt": "Name: ", "password": True}},
        "failed": {"status": {**RUNNING, "state": "error", "exit_code": 1, "error": "no", "stop": "no"}},
        "stopped by the kernel": {"status": {**RUNNING, "stop": "kernel", "detached": True}},
    }
    COLOURS = tuple(
        [[f" {kind}{number} ", f"{style}{number}"] for number in range(16)]
        for kind, style in (("f", "f"), ("g", "g"), ("v", "v f"), ("fg", "b f7 g"))
    )
    STYLED = (
        *COLOURS,
        [["dim ", "d"], ["error ", "e"], ["dim error", "d e"], ["inverse", "v"]],
        {"t": "source", "s": "b"},
    )

    @pytest.mark.parametrize(
        ("state", "scheme"),
        [
            ("running", "light"),
            ("running", "dark"),
            ("asking", "dark"),
            ("failed", "light"),
            pytest.param("asking", "light", marks=in_soak),
            pytest.param("failed", "dark", marks=in_soak),
            pytest.param("stopped by the kernel", "light", marks=in_soak),
            pytest.param("stopped by the kernel", "dark", marks=in_soak),
        ],
    )
    def test_axe_finds_no_serious_problem(self, pages: Pages, scheme: str, state: str) -> None:
        page = pages.new(color_scheme=scheme, reduced_motion="reduce")
        area = AreaPage(page, **self.STATES[state]).open()
        area.rows(1, self.STYLED)
        area.log.press("/")
        page.keyboard.type("x")
        search = area.next_sent("search")
        area.send(
            {
                "type": "found",
                "to": search["view"],
                "search": search["search"],
                "done": True,
                "count": 1,
                "lines": [[0, "x"]],
            }
        )
        assert serious_problems(page, ".pls") == []

    def test_all_controls_are_reachable_by_keyboard_and_visible(self, page: Page) -> None:
        area = shown(page, *numbered(range(100)), bars=[TestBars.BAR])
        area.log.press("Home")
        area.settle()
        page.mouse.click(1, 1)
        names = []
        while True:
            page.keyboard.press("Tab")
            focused = page.evaluate_handle("() => document.activeElement").as_element()
            assert focused is not None
            name = focused.get_attribute("aria-label") or ""
            if name in names or not name:
                break
            names.append(name)
            assert focused.evaluate("(node) => getComputedStyle(node).outlineStyle") == "solid"
        buttons = {button.get_attribute("aria-label") for button in area.area.get_by_role("button").all()}
        assert set(names) == {*buttons, "Lines of lab/7f3a"}

    def test_only_the_interrupt_and_application_shortcuts_pass(self, page: Page) -> None:
        area = shown(page, "see https://example.org/", status={**RUNNING, "stop": "kernel"})
        page.evaluate(
            """() => {
                window.received = [];
                document.addEventListener("keydown", (event) => { // as Lumino's CommandRegistry looks for a binding
                    let at = event.target;
                    while (at && !at.hasAttribute("data-lm-suppress-shortcuts") && !at.matches("main :focus, body")) at = at.parentElement;
                    if (at && !at.hasAttribute("data-lm-suppress-shortcuts")) received.push(event.key);
                }, true);
            }"""
        )
        area.log.press("i")
        area.log.press("i")
        area.log.press("d")
        area.log.press("ArrowDown")
        area.log.press("Shift+Enter")
        page.get_by_role("button", name="Stop").click(force=True)  # it is disabled
        page.keyboard.press("I")
        for key in ("x", "Control+s", "Control+Enter", "Control+z", "Control+Backspace"):
            page.keyboard.press(key)
        area.log.get_by_role("link").press("b")
        area.log.get_by_role("link").press("i")
        area.log.press("/")
        page.keyboard.type("iI")
        page.keyboard.press("Control+a")
        page.keyboard.press("Control+s")
        received = page.evaluate("received.filter((key) => key !== 'Control' && key !== 'Shift')")
        assert received == ["i", "i", "I", "s", "i", "s"]

    def test_a_narrow_page_does_not_overflow(self, pages: Pages) -> None:
        page = pages.new()
        status = {
            **RUNNING,
            "command": "x" * 500,
            "job": "j" * 60,
            "bytes": 10**9,
            "lines": 10**7,
            "exit_code": 1,
        }
        area = AreaPage(page, status=status, bars=[{**TestBars.BAR, "description": "d" * 80}]).open()
        area.rows(1, ["text " * 100])
        for width in (320, 480, 900):
            page.set_viewport_size({"width": width, "height": 600})
            area.settle()
            right = area.area.bounding_box()["x"] + area.area.bounding_box()["width"]  # type: ignore[index]
            assert right <= width
            for button in [
                *area.area.get_by_role("button").all(),
                area.area.locator(".pls-time, .pls-code").last,
            ]:
                box = button.bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= right

    @pytest.mark.parametrize(
        ("theme", "background"), [("true", "rgb(255, 255, 255)"), ("false", "rgb(17, 17, 17)")]
    )
    def test_the_theme_is_that_of_the_notebook(self, pages: Pages, theme: str, background: str) -> None:
        page = pages.new(color_scheme="dark" if theme == "true" else "light")  # the opposite
        area = AreaPage(page, status=RUNNING).open()
        page.evaluate("(theme) => document.body.setAttribute('data-jp-theme-light', theme)", theme)
        expect(area.area).to_have_css("background-color", background)
