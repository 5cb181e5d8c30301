"""The area of a cell while it runs, and in pages that are opened later."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from support.browser import Console, Pages, in_soak
from support.jupyter_page import JupyterServer, NotebookPage
from support.kernels import is_alive
from support.live_area import Area
from support.steps import Steps

Notebooks = Callable[..., NotebookPage]
NEWEST = [pytest.param("lab", "newest"), pytest.param("notebook", "newest", marks=in_soak)]
OLDER = [pytest.param("lab", "7.3.0", marks=in_soak), pytest.param("lab", "6.30.1", marks=in_soak)]
each_newest = pytest.mark.parametrize(("front_end", "kernel"), NEWEST)
each_older = pytest.mark.parametrize(("front_end", "kernel"), OLDER)
_CHILD = "%%remote_stream --shell\nsleep 1000 & echo child $!; wait"
each_of_all = pytest.mark.parametrize(("front_end", "kernel"), [*NEWEST, *OLDER])


@pytest.mark.parametrize(
    ("front_end", "kernel"), [pytest.param("lab", "newest"), pytest.param("notebook", "newest"), *OLDER]
)
def test_text_is_on_the_page_while_the_cell_runs(
    notebook: Notebooks, steps: Steps, console: Console, front_end: str, kernel: str
) -> None:
    opened = notebook(
        [f"%%remote_stream\nprint('first')\n{steps.wait_for('end')}print('last')"], front_end, kernel
    )
    opened.start(1)
    area = opened.area(1)
    area.wait_for_row("first")
    assert area.state == "running"
    steps.do("end")
    opened.wait_for_end()
    opened.wait_for_text(1, "last")
    assert not console.errors


def test_text_is_on_the_page_while_the_cell_runs_without_widgets(
    notebook: Notebooks, steps: Steps, console: Console
) -> None:
    opened = notebook(
        [
            "%config RemoteStream.display = 'html'",
            f"%%remote_stream\nprint('first')\n{steps.wait_for('middle')}print('second')\n{steps.wait_for('end')}print('last')",
        ]
    )
    opened.run(1)
    opened.start(2)
    opened.wait_for_text(2, "first")
    steps.do("middle")
    opened.wait_for_text(2, "second")
    assert opened.area(2).root.count() == 0
    steps.do("end")
    opened.wait_for_end()
    opened.wait_for_text(2, "last")
    assert [line for line in opened.lines(2) if line in ("first", "second", "last")] == [
        "first",
        "second",
        "last",
    ]
    assert not console.errors


@each_newest
def test_a_page_reloaded_during_a_run_is_complete_and_live(
    notebook: Notebooks, steps: Steps, console: Console, front_end: str, kernel: str
) -> None:
    opened = notebook([f"%%remote_stream\n{steps.counting('reloaded', 'end')}"], front_end, kernel)
    opened.start(1)
    opened.area(1).wait_for_row("line 5")
    opened.save()
    opened.reload()
    area = opened.area(1)
    steps.do("reloaded")
    area.wait_for_row("seen reloaded")
    assert area.state == "running"
    steps.do("end")
    area.wait_for_state("ok")
    steps.assert_whole(area.rows(), "reloaded", "end")
    assert not console.errors


@each_older
def test_a_page_reloaded_during_a_run_of_an_older_kernel_is_complete_at_the_end(
    notebook: Notebooks, steps: Steps, front_end: str, kernel: str
) -> None:
    opened = notebook([f"%%remote_stream\n{steps.counting('end')}"], front_end, kernel)
    opened.start(1)
    opened.area(1).wait_for_row("line 5")
    opened.save()
    opened.reload()
    steps.do("end")
    area = opened.area(1)
    area.wait_for_state("ok")
    steps.assert_whole(area.rows(), "end")


@each_of_all
def test_a_detached_run_is_live_at_once_after_a_reload(
    notebook: Notebooks, steps: Steps, front_end: str, kernel: str
) -> None:
    opened = notebook(
        [f"%%remote_stream --detach\n{steps.counting('reloaded', 'end')}", "6 * 7"], front_end, kernel
    )
    opened.run(1)
    opened.area(1).wait_for_row("line 5")
    opened.save()
    opened.reload(idle=True)
    area = opened.area(1)
    steps.do("reloaded")
    area.wait_for_row("seen reloaded")
    opened.run(2)
    opened.wait_for_text(2, "42")
    steps.do("end")
    area.wait_for_state("ok")
    steps.assert_whole(area.rows(), "reloaded", "end")


def test_a_reopened_notebook_is_complete_and_live(
    notebook: Notebooks, pages: Pages, server: JupyterServer, steps: Steps
) -> None:
    first = notebook([f"%%remote_stream\n{steps.counting('closed', 'opened', 'end')}"])
    first.start(1)
    first.area(1).wait_for_row("line 5")
    first.save()
    first.page.close()
    steps.do("closed")
    second = NotebookPage(pages.new(), server, first.path).open(idle=False)
    steps.do("opened")
    area = second.area(1)
    area.wait_for_row("seen opened")
    assert area.state == "running"
    steps.do("end")
    area.wait_for_state("ok")
    steps.assert_whole(area.rows(), "closed", "opened", "end")


def test_attach_shows_a_run_whose_cell_was_not_saved(notebook: Notebooks, steps: Steps) -> None:
    opened = notebook([])
    opened.save()
    lost = opened.append(f"%%remote_stream --as walk --detach\n{steps.counting('attached', 'end')}")
    opened.run(lost)
    opened.area(lost).wait_for_row("line 5")
    opened.reload()
    assert opened.cells.count() == lost
    again = opened.append("%remote_stream attach walk")
    opened.start(again)
    area = opened.area(again)
    steps.do("attached")
    area.wait_for_row("seen attached")
    steps.do("end")
    opened.wait_for_end()
    steps.assert_whole(opened.lines(again), "attached", "end")


def test_two_views_and_two_tabs_are_each_complete(
    notebook: Notebooks, pages: Pages, server: JupyterServer, steps: Steps
) -> None:
    first = notebook([f"%%remote_stream\n{steps.counting('second', 'end')}"])
    first.start(1)
    first.area(1).wait_for_row("line 5")
    first.save()
    second = NotebookPage(pages.new(), server, first.path).open(idle=False)
    second.area(1).wait_for_row("line 5")
    steps.do("second")
    for opened in (first, second):
        opened.area(1).wait_for_row("seen second")
    elsewhere = first.show_elsewhere(1)
    Area(elsewhere.locator("section.pls")).wait_for_row("seen second")
    steps.do("end")
    second.area(1).wait_for_state("ok")
    steps.assert_whole(second.area(1).rows(), "second", "end")
    expect(elsewhere).to_contain_text("seen end")
    for shown in (elsewhere, first.output(1)):  # the record is shown now
        steps.assert_whole(shown.inner_text().splitlines(), "second", "end")


@pytest.mark.parametrize(("front_end", "kernel"), [*NEWEST, pytest.param("lab", "7.3.0", marks=in_soak)])
def test_stop_and_the_notebooks_interrupt_end_a_run_with_its_children(
    notebook: Notebooks, front_end: str, kernel: str
) -> None:
    opened = notebook([_CHILD, _CHILD], front_end, kernel)
    for index, end in ((1, opened.area(1).button("Stop").click), (2, opened.interrupt_kernel)):
        opened.start(index)
        child = int(opened.area(index).wait_for_row(r"child \d+").split()[1])
        end()
        opened.wait_for_end()
        opened.wait_for_text(index, "interrupted")
        assert not is_alive(child)


@pytest.mark.parametrize(("front_end", "kernel"), OLDER[1:])
def test_stop_on_the_oldest_kernel_names_its_interrupt(
    notebook: Notebooks, front_end: str, kernel: str
) -> None:
    opened = notebook(
        [_CHILD, _CHILD.replace("--shell", "--shell --detach")],
        front_end,
        kernel,
    )
    opened.start(1)
    child = int(opened.area(1).wait_for_row(r"child \d+").split()[1])
    stop = opened.area(1).button("Stop")
    assert stop.get_attribute("aria-disabled") == "true"
    assert "notebook's" in str(stop.get_attribute("title"))
    opened.interrupt_kernel()
    opened.wait_for_end()
    assert not is_alive(child)
    opened.run(2)
    child = int(opened.area(2).wait_for_row(r"child \d+").split()[1])
    opened.area(2).button("Stop").click()
    opened.wait_for_text(2, "interrupted")
    assert not is_alive(child)
