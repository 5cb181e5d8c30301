"""The content of an area for output of all kinds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect
from support.browser import Console, Pages, in_soak, serious_problems
from support.jupyter_page import NotebookPage, as_html
from support.recordings import read
from support.steps import Steps

from pyrepl_stream.terminal import Page, Row, Screen

Notebooks = Callable[..., NotebookPage]

# Numbered lines of 80 bytes, from a command.
_FLOOD = """%%remote_stream --shell
seq -f "line %07.0f $(printf 'x%.0s' $(seq 66))" 0 {last}
"""
_RING = 10_000

_REDRAWN = ("docker", "npm", "pip", "progressbar2", "rich-tasks", "tqdm-nested")
_SEQUENCES = (
    "\x1b[1mbold\x1b[0m \x1b[2mdim\x1b[0m \x1b[3mitalic\x1b[0m \x1b[4munder\x1b[0m \x1b[9mgone\x1b[0m \x1b[7mback\x1b[0m\n"
    "\x1b[31mred\x1b[0m \x1b[1;92;44mbright\x1b[0m \x1b[38;5;208morange\x1b[0m \x1b[38;2;1;2;3mtrue\x1b[0m\n"
    "AAAAAAAAAA\r\x1b[KBB\nabc\b\bX\n"
    "\x1b]8;;https://example.org/a?b\x1b\\a link\x1b]8;;\x1b\\ behind\n"
    "宽字 e\u0301 \U0001f469\u200d\U0001f4bb|\ttab\n"
)

# A PNG of one pixel.
_PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

# A text that tries every way to run code in a page.
_SCRIPT = "window.hacked = 1"
_MARKUP = f'<img src="x" onerror="{_SCRIPT}"><script>{_SCRIPT}</script><svg onload="{_SCRIPT}">'
_HOSTILE = f"""
import sys, time
from IPython.display import display
markup, script = {_MARKUP!r}, {_SCRIPT!r}
print(markup)
print(markup, file=sys.stderr)
print("\\x1b]0;" + markup + "\\x07" + "\\x1b]8;;javascript:" + script + "\\x1b\\\\a link\\x1b]8;;\\x1b\\\\")
print('\\x1b]8;;https://example.org/"onclick="' + script + '\\x1b\\\\another\\x1b]8;;\\x1b\\\\')
for done in range(3):
    sys.stderr.write(f"\\r{{markup}}:  {{done * 40}}%|####      | {{done * 40}}/100 [00:01<00:01, 40.0it/s]")
    sys.stderr.flush()
    time.sleep(0.05)
print()
table = "<table><tr><td>a table<td onclick='" + script + "'>" + markup + "</table><iframe srcdoc='" + markup + "'></iframe>"
link = '<a href="javascript:' + script + '">a link</a><form action="javascript:' + script + '"><button>go</button></form>'
picture = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>' + script + '</script></svg>'
for kind, text in (
    ("text/html", table + link),
    ("image/svg+xml", picture),
    ("text/markdown", markup + "[a](javascript:" + script + ")"),
    ("text/latex", "$\\\\href{{javascript:" + script + "}}{{x}}$" + markup),
    ("application/javascript", script),
    ("text/javascript", script),
    ("image/png", markup),
    (markup, markup),
):
    display({{kind: text, "text/plain": markup}}, raw=True)
"""


def test_a_flood_shows_its_tail_and_all_of_it_is_in_the_log(
    notebook: Notebooks, steps: Steps, console: Console, rounds: Callable[[int, int], int], tmp_path: Path
) -> None:
    count = rounds(100_000, 1_000_000)
    flood = _FLOOD.format(last=count - 1) + steps.shell_wait_for("end")
    opened = notebook(["print('before')\n1", flood, "print('after')\n2"])
    opened.start_all()
    area = opened.area(2)
    area.wait_for_row(f"line {count - 1:07d} x+", seconds=120)
    expect(area.log.locator(".pls-earlier")).to_have_text(f"{count - _RING:,} earlier lines in the log only")

    found = area.search("line 0001234")
    assert [text.split()[1] for text in found] == ["0001234"]

    with opened.page.expect_download() as download:
        area.button("Save the whole log").click()
    download.value.save_as(tmp_path / "log.txt")
    with (tmp_path / "log.txt").open() as log:
        wrong = [line for number, line in enumerate(log) if line != f"line {number:07d} {'x' * 66}\n"]
        assert (wrong, log.tell()) == ([], 80 * count)

    steps.do("end")
    opened.wait_for_end(120)
    opened.wait_for_text(2, f"line {count - 1:07d}")
    saved = opened.save()
    assert opened.path.stat().st_size < 1_000_000
    assert [saved.cells[index].outputs[0]["text"] for index in (1, 3)] == ["before\n", "after\n"]
    assert [saved.cells[index].outputs[1]["data"]["text/plain"] for index in (1, 3)] == ["1", "2"]
    assert not console.errors


def test_the_page_shows_the_rows_of_the_screen_model(notebook: Notebooks, steps: Steps) -> None:
    texts = {"sequences": _SEQUENCES, **{name: read(name) for name in _REDRAWN}}
    write = "%%remote_stream --raw-bars\nimport sys\nsys.stdout.write({!r})\nprint('~end~')\n"
    opened = notebook([write.format(text) + steps.wait_for(name) for name, text in texts.items()])
    for index, (name, text) in enumerate(texts.items(), 1):
        page = Page()
        Screen(page).feed(f"{text}~end~\n")
        opened.start(index)
        area = opened.area(index)
        area.wait_for_row(".*~end~")
        assert area.characters() == [_characters(page.row(number)) for number in range(page.end)], name
        steps.do(name)
        opened.wait_for_end()


def _characters(row: Row) -> list[tuple[str, frozenset[str]]]:
    parts = row.json()
    assert not isinstance(parts, dict)
    return [
        (character, frozenset(re.sub("#.*", "#", word) for word in words.split()))
        for text, words, *_ in ([[parts, ""]] if isinstance(parts, str) else parts)
        for character in text
    ]


def test_hostile_output_runs_nothing_in_the_page(
    notebook: Notebooks, steps: Steps, pages: Pages, console: Console
) -> None:
    failing = f"raise type({_MARKUP!r}, (Exception,), {{}})({_MARKUP!r})"
    opened = notebook(
        [
            f"%%remote_stream --no-raise\n{_HOSTILE}print('~end~')\n{steps.wait_for('end')}input(markup)\n{failing}",
            "%config RemoteStream.display = 'html'\n",
            f"%%remote_stream --no-raise\n{_HOSTILE}{failing}",
        ]
    )
    went_out: list[str] = []
    opened.page.on("request", lambda request: went_out.append(request.url))
    opened.start(1)
    area = opened.area(1)
    area.wait_for_row("~end~")
    area.rows()
    _assert_nothing_ran(opened)
    steps.do("end")
    area.answer("an answer")
    opened.wait_for_end()
    _assert_nothing_ran(opened)
    opened.run(2)
    opened.run(3)
    _assert_nothing_ran(opened)
    saved = opened.save()
    opened.reload(idle=True)
    opened.wait_for_text(1, "~end~")
    _assert_nothing_ran(opened)
    assert [url for url in went_out if not url.startswith((opened.origin, "data:", "blob:"))] == []

    page = pages.new(offline=True)
    page.set_content(as_html(saved))
    page.locator(".jp-OutputArea").first.wait_for()
    assert page.evaluate("() => window.hacked") is None


def _assert_nothing_ran(opened: NotebookPage) -> None:
    """Check that nothing ran, and that nothing runs when all elements are clicked."""
    for index in (1, 3):
        opened.click_all(index)
    assert opened.page.evaluate("() => window.hacked") is None


def test_pictures_and_tables_are_shown_between_the_lines(
    notebook: Notebooks, steps: Steps, console: Console
) -> None:
    displays = f"""%%remote_stream
import base64
from IPython.display import HTML, Image, display
picture = base64.b64decode({_PICTURE!r})
print("before")
display(Image(picture, width=40, height=30))
print("between")
shown = display(HTML("<table><tr><th>a<td>1</table>"), display_id=True)
print("behind")
{steps.wait_for("update")}
shown.update(HTML("<table><tr><th>a<td>2</table>"))
{steps.wait_for("end")}"""
    opened = notebook([displays])
    opened.start(1)
    area = opened.area(1)
    area.wait_for_row("behind")
    expect(area.root.locator("td")).to_have_text("1")
    steps.do("update")
    expect(area.root.locator("td")).to_have_text("2")
    live = _places(area.root)
    steps.do("end")
    opened.wait_for_end()
    for places in (live, _places(opened.output(1))):
        assert places == sorted(places)
    assert opened.output(1).locator("img").evaluate("(image) => [image.width, image.naturalWidth]") == [40, 1]
    assert not console.errors


def _places(root: Locator) -> list[float]:
    """Return the vertical positions of the displays of that test."""
    found = [root.get_by_text("before"), root.locator("img"), root.get_by_text("between")]
    found += [root.locator("td"), root.get_by_text("behind")]
    return [box["y"] for one in found if (box := one.bounding_box()) is not None]


def test_input_is_answered_in_the_area(notebook: Notebooks, console: Console) -> None:
    opened = notebook(
        [
            "%%remote_stream\nfrom getpass import getpass\nprint('hello', input('your name? '))\nprint(len(getpass('secret: ')))"
        ]
    )
    opened.start(1)
    area = opened.area(1)
    expect(area.root.get_by_label("your name?")).to_have_attribute("type", "text")
    area.answer("world")
    area.wait_for_row(".*hello world")
    expect(area.root.get_by_label("secret:")).to_have_attribute("type", "password")
    area.answer("12345")
    opened.wait_for_end()
    opened.wait_for_text(1, "hello world")
    assert "12345" not in str(opened.save())
    assert not console.errors


@pytest.mark.parametrize("last", [False, True])
def test_keys_typed_after_running_a_cell_answer_its_requests(notebook: Notebooks, last: bool) -> None:
    asking = "%%remote_stream\nprint([input('first? '), input('second? ')])"
    opened = notebook([asking] if last else [asking, "1"])
    page = opened.page
    opened.cells.nth(1).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    area = opened.area(1)
    for label, answer in (("first?", "bad"), ("second?", "add")):
        expect(area.root.get_by_label(label)).to_be_focused()
        page.keyboard.type(answer)
        page.keyboard.press("Enter")
    opened.wait_for_text(1, "['bad', 'add']")
    assert opened.cells.count() == 3  # Shift+Enter adds one at the end
    if not last:
        page.keyboard.press("Shift+Enter")  # the focus has returned
        opened.wait_for_text(2, "1")


def test_a_request_does_not_interrupt_typing_in_another_cell(notebook: Notebooks, steps: Steps) -> None:
    opened = notebook(
        [f"%%remote_stream\nprint('hello')\n{steps.wait_for('ask')}print(input('name? '))", "1"]
    )
    opened.start(1)
    area = opened.area(1)
    area.wait_for_row("hello")
    editor = opened.cells.nth(2).locator(".cm-content")
    editor.click()
    opened.page.keyboard.type(" + 1")
    steps.do("ask")
    area.question.wait_for()
    opened.page.keyboard.type("2")
    expect(editor).to_have_text("1 + 12")
    expect(editor).to_be_focused()
    area.answer("Ada")
    opened.wait_for_end()


def test_axe_finds_no_serious_problem_in_light_and_dark(notebook: Notebooks, steps: Steps) -> None:
    everything = f"""%%remote_stream
import sys, time
from IPython.display import HTML, display
print("\\x1b[31mred\\x1b[32mgreen\\x1b[33myellow\\x1b[34mblue\\x1b[35mmagenta\\x1b[36mcyan\\x1b[37mwhite\\x1b[90mgrey\\x1b[0m")
print("an error", file=sys.stderr)
display(HTML("<table><tr><th>a<th>b<tr><td>1<td>2</table>"))
sys.stderr.write("\\rwork:  40%|####      | 40/100 [00:01<00:01, 40.0it/s]")
sys.stderr.flush()
{steps.wait_for("end")}
input("a question? ")
"""
    opened = notebook([everything])
    opened.start(1)
    area = opened.area(1)
    area.progress("work").wait_for()
    _assert_usable(opened)
    steps.do("end")
    area.question.wait_for()
    _assert_usable(opened)
    area.answer("yes")
    opened.wait_for_end()
    _assert_usable(opened)


def _assert_usable(opened: NotebookPage) -> None:
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        opened.use_theme(theme)
        target = ".jp-Notebook .jp-CodeCell:last-child .jp-Cell-outputArea"
        assert serious_problems(opened.page, target) == [], theme


@pytest.mark.parametrize("front_end", ["lab", pytest.param("notebook", marks=in_soak)])
def test_keys_in_the_area_do_not_reach_the_notebook(
    notebook: Notebooks, steps: Steps, front_end: str
) -> None:
    text = "for n in range(60): print('line', n)\nprint('see https://example.org/')"
    opened = notebook([f"%%remote_stream\n{text}\n{steps.wait_for('end')}", "1", "2"], front_end)
    keyboard = opened.page.keyboard
    opened.start(1)
    area = opened.area(1)
    area.wait_for_row("see .*")
    count = 4
    for place in (area.log, area.button("Wrap long lines"), area.log.get_by_role("link")):
        place.scroll_into_view_if_needed()
        place.focus()
        for key in ("a", "b", "x", "y", "ArrowDown", "j", "Control+Backspace", "d", "d"):
            keyboard.press(key)
        assert (opened.cells.count(), opened.active) == (count, 1)
        opened.append("1")
        count += 1
        place.focus()
        keyboard.press("Control+s")
        opened.wait_until_saved()
    area.log.press("Home")
    keyboard.press("ArrowDown")
    opened.page.wait_for_function("(log) => log.scrollTop > 0", arg=area.log.element_handle())
    steps.do("end")
    opened.wait_for_end()


def test_eight_areas_at_full_speed_are_complete_below_the_rate_limit(
    notebook: Notebooks, steps: Steps, rounds: Callable[[int, int], int], console: Console
) -> None:
    count = rounds(5_000, 200_000)
    cells = [
        f"%%remote_stream local:area-{area} --detach\n{steps.wait_for('start')}"
        f"for n in range({count}): print('area {area} line', n, 'x' * 60)"
        for area in range(8)
    ]
    opened = notebook(cells)
    opened.start_all()
    opened.wait_for_end(120)
    opened.count_messages()
    steps.do("start")
    for area in range(8):
        opened.wait_for_text(area + 1, f"area {area} line {count - 1} ", seconds=120)
        opened.wait_for_text(area + 1, "[done")
    assert opened.most_messages() < 500
    for area in range(8):
        shown = [line for line in opened.lines(area + 1) if line.startswith(f"area {area} line")]
        assert shown == [f"area {area} line {n} {'x' * 60}" for n in range(count - 1000, count)]
        expect(opened.output(area + 1)).to_contain_text(f"{count - 1000:,} earlier lines are in the log")
    assert not console.errors
