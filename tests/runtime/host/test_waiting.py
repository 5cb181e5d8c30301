"""The processes of a waiting session do not wake up."""

from __future__ import annotations

from pathlib import Path

from support.host import Client, RunningHost
from support.wakeups import settles, wakeups

from pyrepl_stream import InputRequestMessage


def settle(host: RunningHost) -> None:
    """Wait for a second in which the host and its workers rarely wake up."""
    pid = host.pid
    workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert workers
    settles(lambda: wakeups(*(f"/proc/{one}/task/*/status" for one in (pid, *workers))))


def test_code_that_waits_for_input_causes_no_wakeups(host: RunningHost, client: Client) -> None:
    client.execute("print('up')\ninput()", "one")
    client.until_text(client.attach("one"), "up")
    settle(host)


def test_a_session_without_an_execution_causes_no_wakeups(host: RunningHost, client: Client) -> None:
    client.run("1", "one")
    settle(host)


def test_a_command_that_waits_for_a_line_causes_no_wakeups(host: RunningHost, client: Client) -> None:
    client.command("read line", "one", interactive=True)
    attached = client.attach("one")
    client.until(lambda: any(isinstance(message, InputRequestMessage) for message in attached.messages))
    settle(host)


def test_a_silent_command_on_a_terminal_causes_few_wakeups(host: RunningHost, client: Client) -> None:
    client.command("echo up; sleep 1000", "one", interactive=True)
    client.until_text(client.attach("one"), "up")
    settle(host)
