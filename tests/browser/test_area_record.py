"""The record of an area in the saved notebook."""

from __future__ import annotations

from collections.abc import Callable

import nbformat
from support.browser import Console, Pages
from support.jupyter_page import NotebookPage, as_html
from support.steps import Steps

Notebooks = Callable[..., NotebookPage]

_LINES = [f"line {number}" for number in range(20)]
_BARS = """%%remote_stream
import sys, time
for number in range(20):
    print("line", number)
for done in range(0, 101, 10):
    sys.stderr.write(f"\\rwork: {done:3d}%|##########| {done}/100 [00:01<00:00, 40.0it/s]")
    sys.stderr.flush()
    time.sleep(0.02)
"""


def test_text_and_bars_of_a_finished_run_survive_the_kernel(
    notebook: Notebooks, pages: Pages, console: Console
) -> None:
    opened = notebook([_BARS])
    opened.run(1)
    opened.wait_for_text(1, "line 19")
    shown = opened.output(1).inner_text()
    assert [line for line in shown.splitlines() if line.startswith("line")] == _LINES
    assert "work" in shown
    assert "100" in shown
    saved = opened.save()
    opened.restart_kernel()
    opened.reload(idle=True)
    opened.wait_for_text(1, "line 19")
    assert opened.output(1).inner_text() == shown
    assert not console.errors

    page = pages.new(offline=True)
    page.set_content(as_html(saved))
    in_html = page.locator(".jp-Cell-outputArea").nth(-1).inner_text()
    assert [line for line in in_html.splitlines() if line.startswith("line")] == _LINES
    assert "work" in in_html


def test_after_a_reload_load_ext_in_a_new_kernel_restores_the_area(
    notebook: Notebooks, pages: Pages, steps: Steps
) -> None:
    opened = notebook([f"%%remote_stream --as walk\n{steps.counting('end')}"])
    opened.start(1)
    opened.area(1).wait_for_row("line 5")
    opened.save()
    opened.reload()
    steps.do("end")
    opened.area(1).wait_for_state("ok")
    saved = opened.save()

    page = pages.new(offline=True)
    page.set_content(as_html(saved))
    neutral = page.locator(".jp-Cell-outputArea").nth(-1).inner_text()
    assert "walk" in neutral
    assert "attach" in neutral
    assert "rror" not in neutral

    opened.restart_kernel()
    opened.reload(idle=True)
    opened.run(0)
    opened.reload(idle=True)
    area = opened.area(1)
    area.wait_for_state("ok")
    steps.assert_whole(area.rows(), "end")


_TYPESET = "mjx-container, .MathJax, .katex"
_FORMULAS = """%%remote_stream
import sys
print("it costs $5 to $6")
sys.stderr.write("\\rcost $a_1$:  50%|#####     | 50/100 [00:01<00:01, 40.0it/s]\\n")
"""


def test_text_that_looks_like_a_formula_stays_text(notebook: Notebooks) -> None:
    loop = 'for i in $(seq 1 3); do echo "img$i"; done'
    opened = notebook(
        [
            f"%%remote_stream --shell --as a\n{loop}",
            _FORMULAS,
            "%config RemoteStream.display = 'html'",
            _FORMULAS,
            "from IPython.display import HTML\nHTML('<p>$x_1$ typeset</p>')",
        ]
    )
    opened.run_all()
    opened.output(5).locator(_TYPESET).first.wait_for()  # the output before it has been typeset too
    for index, texts in ((1, [loop]), (2, ["cost $a_1$", "$5 to $6"]), (4, ["cost $a_1$", "$5 to $6"])):
        for text in texts:
            opened.wait_for_text(index, text)
        assert opened.output(index).locator(_TYPESET).count() == 0


_PLOTS = """%%remote_stream --height 5
from IPython.display import SVG, display
for number in range(30):
    print("line", number)
    if number % 10 == 3:
        display(SVG('<svg xmlns="http://www.w3.org/2000/svg" width="50" height="800"><rect width="50" height="800"/></svg>'))
"""
_SEEN = """(scroller) => {
    const box = scroller.getBoundingClientRect();
    const range = document.createRange();
    const texts = document.createTreeWalker(scroller, NodeFilter.SHOW_TEXT);
    const seen = [];
    while (texts.nextNode()) {
        for (const found of texts.currentNode.data.matchAll(/line \\d+/g)) {
            range.setStart(texts.currentNode, found.index);
            range.setEnd(texts.currentNode, found.index + found[0].length);
            const at = range.getBoundingClientRect();
            if (at.top >= box.top - 1 && at.bottom <= box.bottom + 1) seen.push(found[0]);
        }
    }
    return seen;
}"""


def test_the_record_is_as_high_as_the_area_and_shows_its_end(notebook: Notebooks, pages: Pages) -> None:
    opened = notebook([_PLOTS])
    opened.run(1)
    opened.wait_for_text(1, "[done")
    saved = opened.save()
    page = pages.new(offline=True)
    page.set_content(as_html(saved))
    opened.reload(idle=True)
    opened.wait_for_text(1, "[done")
    places = {
        "trusted": opened.output(1),
        "nbconvert": page.locator(".jp-Cell-outputArea").nth(-1),
    }
    for name, output in places.items():
        region = output.get_by_role("region")
        assert region.evaluate(_SEEN) == [f"line {number}" for number in range(25, 30)], name
        region.evaluate("(scroller) => scroller.scrollTo(0, -1e6)")
        assert region.evaluate(_SEEN)[0] == "line 0", name

    saved.cells[1].outputs[0]["data"]["text/html"] += "<p>not what the kernel made</p>"
    nbformat.write(saved, opened.path)
    opened.reload(idle=True)
    opened.wait_for_text(1, "not what the kernel made")
    region = opened.output(1).locator("div[style*=max-height]")  # the sanitizer removes the role
    seen = region.evaluate(_SEEN)
    assert seen[-1] == "line 29"
    assert len(seen) == 5
