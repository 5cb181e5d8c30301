"""No process of an execution outlives a kill or the session, even one with another environment."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from support.host import Client, RunningHost, wait_until

STARTS = {
    "with its environment": "env=None",
    "with another environment": "env={'PATH': '/usr/bin:/bin'}",
    "with none, in a session of its own": "env={}, start_new_session=True",
}
# The shell ends at once, so its child is an orphan whose environment does not identify its execution.
ORPHAN = "import subprocess\nprint(subprocess.check_output(['/bin/sh', '-c', '/bin/sleep 1000 >/dev/null 2>&1 & echo $!'], env={}).decode())\n"


def code_of(how: str) -> str:
    return (
        ORPHAN
        if how == "orphan"
        else f"import subprocess\nprint(subprocess.Popen(['/bin/sleep', '1000'], {STARTS[how]}).pid)\n"
    )


def gone(pid: int) -> bool:
    return not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize("how", [*STARTS, "orphan"])
def test_a_kill_ends_the_process(client: Client, how: str) -> None:
    client.execute(f"{code_of(how)}print('go')\nimport time; time.sleep(1000)", "one")
    attached = client.attach("one")
    client.until_text(attached, "go")
    client.ask(op="kill", id="one", key="a")
    client.until(lambda: attached.end)
    wait_until(lambda: gone(int(attached.text().split()[0])))


@pytest.mark.parametrize("how", [*STARTS, "orphan"])
@pytest.mark.parametrize("at_leave", ["", "import atexit, os; atexit.register(os._exit, 3)\n"])
def test_the_end_of_the_session_ends_the_process(
    make: Callable[..., RunningHost], how: str, at_leave: str
) -> None:
    host = make()
    pid = int(host.client().run(f"{at_leave}{code_of(how)}", "one").text())
    assert not gone(pid)
    host.end()
    wait_until(lambda: gone(pid))


def test_a_kill_spares_processes_of_an_earlier_worker(client: Client) -> None:
    pid = int(client.run(code_of("with another environment"), "one").text())
    client.run("import os; os._exit(3)", "two")
    client.execute("print('go')\nimport time; time.sleep(1000)", "three")
    attached = client.attach("three")
    client.until_text(attached, "go")
    client.ask(op="kill", id="three", key="a")
    client.until(lambda: attached.end)
    assert not gone(pid)
