"""An area whose kernel ends while it is shown, and that works again in the same page."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from support.jupyter_page import NotebookPage
from support.steps import Steps

Notebooks = Callable[..., NotebookPage]
Ends = Callable[[NotebookPage], None]


def _restart(opened: NotebookPage) -> None:
    opened.restart_kernel()


def _kill(opened: NotebookPage) -> None:
    """Kill the kernel. Jupyter starts another one by itself."""
    os.kill(int(opened.output(1).inner_text()), signal.SIGKILL)
    opened.page.get_by_role("dialog").get_by_role("button", name="Ok").click()
    opened.wait_until_open()


@pytest.mark.parametrize("end", [_restart, _kill])
def test_an_area_shows_that_its_kernel_is_gone_and_stops_its_clock(
    notebook: Notebooks, steps: Steps, end: Ends
) -> None:
    opened = notebook(["import os; print(os.getpid())", f"%%remote_stream\n{steps.counting('end')}"])
    opened.run(1)
    opened.start(2)
    area = opened.area(2)
    area.wait_for_row("line 5")
    end(opened)
    expect(area.root.locator(".pls-gone")).to_contain_text("The kernel of this area is gone.")
    expect(area.root.locator(".pls-state")).to_have_text("was running")
    expect(area.button("Stop")).to_be_hidden()
    time = area.root.locator(".pls-time")
    stands = time.text_content()
    opened.append("import time; time.sleep(2.5)")
    opened.run(3)  # the time of the kernel, which no page stores
    expect(time).to_have_text(str(stands))


@pytest.mark.parametrize("end", [_restart, _kill])
def test_load_ext_in_a_new_kernel_restores_the_area_without_a_reload(
    notebook: Notebooks, steps: Steps, end: Ends
) -> None:
    program = f"%%remote_stream --detach --as walk\n{steps.counting('revived', 'end')}"
    opened = notebook(["import os; print(os.getpid())", program])
    opened.run(1)
    opened.run(2)
    area = opened.area(2)
    area.wait_for_row("line 5")
    opened.save()
    end(opened)
    gone = area.root.locator(".pls-gone")
    expect(gone).to_be_visible()
    opened.run(0)
    expect(gone).to_be_hidden()
    steps.do("revived")
    area.wait_for_row("seen revived")
    assert area.state == "running"
    expect(area.button("Stop")).to_be_visible()
    steps.do("end")
    area.wait_for_state("ok")
    steps.assert_whole(area.rows(), "revived", "end")
