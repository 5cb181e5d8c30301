"""A live area as a reader sees and uses it."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, expect

from .browser import LIMIT

__all__ = ("Area",)

# Only rows near the visible part have elements, so scroll from the top to the end to read all.
_ROWS = """async (log) => {
    const frames = () => new Promise((seen) => requestAnimationFrame(() => requestAnimationFrame(seen)));
    const rows = new Map();
    const look = () => {
        for (const node of log.querySelectorAll(".pls-block > *")) {
            if (node.className.includes("pls-hole")) throw new Error("a hole: " + node.textContent);
            rows.set(node.plsNumber, [...node.childNodes].map((part) => part.nodeType === Node.TEXT_NODE
                ? [part.data, "", "", ""]
                : [part.textContent, part.className, part.style.color, part.style.background]));
        }
    };
    log.scrollTop = 0;
    await frames();
    while (true) {
        look();
        if (log.scrollTop + log.clientHeight >= log.scrollHeight - 4) break;
        log.scrollTop += log.clientHeight;
        await frames();
    }
    await frames();
    look();
    return [...rows].sort((a, b) => a[0] - b[0]);
}"""


class Area:
    """A view of the widget; ``root`` is its outermost element."""

    def __init__(self, root: Locator) -> None:
        self.root = root
        self.log = root.get_by_role("log")
        self.question = root.locator("form.pls-question input")

    @property
    def state(self) -> str:
        """The state, such as `queued`, `running`, `ok` or `error`."""
        return str(self.root.get_attribute("data-state"))

    def wait_for_state(self, state: str, seconds: float = LIMIT) -> None:
        expect(self.root).to_have_attribute("data-state", state, timeout=seconds * 1000)

    def wait_for_row(self, pattern: str, seconds: float = LIMIT) -> str:
        """Wait for a row that matches the regular expression, and return its text."""
        row = self.log.locator(".pls-row", has_text=re.compile(f"^{pattern}$")).first
        row.wait_for(timeout=seconds * 1000)
        return str(row.text_content())

    def rows(self) -> list[str]:
        """Return the text of all rows of the area, read by scrolling through them."""
        return ["".join(character for character, _ in row) for row in self.characters()]

    def characters(self) -> list[list[tuple[str, frozenset[str]]]]:
        """Return the characters of each row with the words of their styles; any RGB colour is `f#` or `g#`."""
        numbered: list[Any] = self.log.evaluate(_ROWS)
        numbers = [number for number, _ in numbered]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
        return [
            [(character, _words(*look)) for text, *look in segments for character in text]
            for _, segments in numbered
        ]

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name)

    def progress(self, name: str) -> Locator:
        return self.root.get_by_role("progressbar", name=name)

    def answer(self, text: str) -> None:
        self.question.fill(text)
        self.question.press("Enter")

    def search(self, text: str) -> list[str]:
        """Search the whole record, and return the results."""
        self.button("Search the whole log").click()
        self.root.get_by_role("searchbox").fill(text)
        expect(self.root.locator(".pls-summary")).to_have_text(
            re.compile("^(not|[0-9,]+) found( in [0-9,]+ lines?)?$")
        )
        return [str(found.text_content()) for found in self.root.locator(".pls-found li:visible").all()]


def _words(classes: str, colour: str, background: str) -> frozenset[str]:
    words = [name.removeprefix("pls-") for name in classes.split()]
    if "v" in words:
        colour, background = background, colour
    for kind, value in (("f", colour), ("g", background)):
        if found := re.search(r"--pls-[fg](\d+)", value):
            words.append(f"{kind}{found[1]}")
        elif value and "--pls-" not in value:
            words.append(f"{kind}#")
    return frozenset(words)
