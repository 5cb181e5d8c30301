"""The end of each cell is reported for that cell, even when messages of widgets arrive meanwhile."""

from __future__ import annotations

import pytest
from support.kernels import Kernel
from support.notebook import Notebook

pytestmark = pytest.mark.kernel

# Handles a message of a widget that arrives while the first cell awaits, after the second has begun.
SLOW = """
import asyncio
come, begun, over = asyncio.Event(), asyncio.Event(), asyncio.Event()
async def slow(stream, ident, message):
    come.set()
    await begun.wait()
    asyncio.get_running_loop().call_later(0.05, over.set)
get_ipython().kernel.shell_handlers["comm_msg"] = slow
"""


def test_a_cell_ends_although_a_message_arrived_for_the_one_before(fresh_kernel: Kernel) -> None:
    notebook = Notebook(fresh_kernel).loaded()
    notebook.run(SLOW)
    first = notebook.execute("await come.wait()")
    second = notebook.execute("begun.set()\nawait over.wait()")
    session = notebook.client.session
    notebook.client.shell_channel.send(session.msg("comm_msg", {"comm_id": "some", "data": {}}))
    notebook.until(lambda: first in notebook.replies and second in notebook.replies)
    notebook.until(lambda: {first, second} <= notebook.idle)


def test_two_cells_end_although_messages_arrive_all_the_time(any_kernel: Kernel) -> None:
    notebook = Notebook(any_kernel)
    waits = "%%remote_stream local:parents\nimport time\nprint('x')\ntime.sleep(0.3)"
    cells = [notebook.execute(waits) for _ in range(2)]
    area = notebook.area(cells[0])
    content = {"comm_id": area.id, "data": {"method": "custom", "content": {"type": "hello"}}}
    while not set(cells) <= notebook.idle:
        message = notebook.client.session.msg("comm_msg", content)
        notebook.client.shell_channel.send(message)  # like a front end without subshells
        notebook.pump()
    notebook.until(lambda: set(cells) <= set(notebook.replies))
    assert [notebook.replies[cell]["status"] for cell in cells] == ["ok", "ok"]
