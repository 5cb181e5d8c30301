from __future__ import annotations

from collections.abc import Callable

import pytest
from support.browser import Console, in_soak
from support.jupyter_page import NotebookPage


@pytest.mark.parametrize("front_end", [pytest.param("lab", marks=in_soak), "notebook"])
def test_a_cell_runs_and_its_output_survives_a_reload(
    notebook: Callable[..., NotebookPage], console: Console, front_end: str
) -> None:
    opened = notebook(["%%remote_stream --plain\nprint(6 * 7)"], front_end)
    opened.run(1)
    assert opened.output(1).inner_text() == "42\n"
    added = opened.append("'more'")
    opened.run(added)
    assert opened.output(added).inner_text().strip().endswith("'more'")
    saved = opened.save()
    assert saved.cells[1].outputs[0]["text"] == "42\n"
    opened.restart_kernel()
    opened.reload(idle=True)
    assert opened.output(1).inner_text() == "42\n"
    assert not console.errors
