"""Programs that continue when a test makes a file."""

from __future__ import annotations

from pathlib import Path

__all__ = ("Steps",)

_COUNTING = """
import time
from pathlib import Path
number = 0
for step in {steps!r}:
    for number in range(number, number + 25):
        print("line", number)
        time.sleep(0.02)
    number += 1
    while not Path({folder!r}, step).exists():
        time.sleep(0.02)
    print("seen", step)
"""


class Steps:
    """Files in ``folder``, one for each step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def do(self, step: str) -> None:
        """Let the programs that wait for ``step`` continue."""
        (self.folder / step).touch()

    def wait_for(self, step: str) -> str:
        """Return Python code that waits for ``step``."""
        return f"import time, pathlib\nwhile not pathlib.Path({str(self.folder)!r}, {step!r}).exists(): time.sleep(0.02)\n"

    def shell_wait_for(self, step: str) -> str:
        """Return a shell command that waits for ``step``."""
        return f"while ! test -e '{self.folder / step}'; do sleep 0.05; done\n"

    def counting(self, *steps: str) -> str:
        """Return code that prints 25 lines, `line 0`, `line 1`, ..., before each step, then `seen STEP`."""
        return _COUNTING.format(steps=steps, folder=str(self.folder))

    @staticmethod
    def assert_whole(shown: list[str], *steps: str) -> None:
        """Assert that ``shown`` has all that `counting` prints: each line once, in order, and each step."""
        expected = []
        for at, step in enumerate(steps):
            expected += [f"line {number}" for number in range(25 * at, 25 * at + 25)] + [f"seen {step}"]
        assert [row for row in shown if row.startswith(("line ", "seen "))] == expected
