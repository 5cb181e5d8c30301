"""The mode of a Windows console, as far as it can be tested on other systems."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import pytest

from pyrepl_stream.processors.windows_console import enable_virtual_terminal


@dataclass
class ScriptedConsole:
    mode: int | None
    accepts: bool = True
    asked: list[int] = field(default_factory=list)

    def get_mode(self) -> int | None:
        return self.mode

    def set_mode(self, mode: int) -> bool:
        self.asked.append(mode)
        return self.accepts


def test_a_console_is_switched_to_sequences_and_keeps_its_other_flags() -> None:
    console = ScriptedConsole(3)
    assert enable_virtual_terminal(console)
    assert console.asked == [7]


def test_a_console_that_interprets_sequences_is_not_changed() -> None:
    console = ScriptedConsole(7)
    assert enable_virtual_terminal(console)
    assert console.asked == []


def test_an_old_console_and_a_missing_one_are_reported() -> None:
    assert not enable_virtual_terminal(ScriptedConsole(3, accepts=False))
    assert not enable_virtual_terminal(ScriptedConsole(None))


@pytest.mark.skipif(sys.platform == "win32", reason="for other systems")
def test_other_systems_need_no_switch() -> None:
    assert enable_virtual_terminal()
