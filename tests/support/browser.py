"""Chromium of the system, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

__all__ = (
    "LIMIT",
    "Console",
    "Pages",
    "chromium",
    "in_soak",
    "long_tasks",
    "needs_chromium",
    "serious_problems",
    "watch_long_tasks",
)

LIMIT = 30.0  # seconds; only a hang takes so long
in_soak = pytest.mark.skipif(
    os.environ.get("PYREPL_STREAM_SOAK", "") in ("", "0"), reason="one more kernel or front end: in the soak"
)
# Pages must not reach the network. A container has neither a sandbox nor a GPU.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)


# Notebook 7.6 looks for a file browser in the page of a notebook, where it is missing.
_NOT_OURS = ("Command 'filebrowser:open-path' not registered.", "properties of undefined (reading 'schema')")


@dataclass
class Console:
    """The errors of a page: uncaught exceptions and logged errors."""

    errors: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._note(f"uncaught: {error}"))
        page.on("console", lambda said: self._note(said.text) if said.type == "error" else None)

    def _note(self, text: str) -> None:
        if not text.endswith(_NOT_OURS):
            self.errors.append(text)


def needs_chromium() -> str:
    """Return the path of the program. If it is missing, skip the test, or fail in CI."""
    found = shutil.which("chromium")
    if found is None:
        text = "chromium is not installed here (it is Debian's package of that name)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{text}, and has to be in CI")
        pytest.skip(text)
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser. Until it is closed, this thread has a running event loop and cannot run another."""
    path = needs_chromium()
    expect.set_options(timeout=LIMIT * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Pages:
    """The pages of one test, each in a context of its own (cookies, permissions, clipboard, colour scheme).

    Options are those of Playwright's ``Browser.new_context``.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self.console = Console()

    def new(self, **options: Any) -> Page:
        context = self._browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        self._contexts.append(context)
        context.set_default_timeout(LIMIT * 1000)
        context.on("page", self.console.watch)
        return context.new_page()

    def pictures(self, folder: Path) -> list[Path]:
        """Save what all pages show, to help to find out why a test failed."""
        paths: list[Path] = []
        for context in self._contexts:
            for page in context.pages:
                paths.append(folder / f"page-{len(paths)}.png")
                page.screenshot(path=paths[-1])
        return paths

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts.clear()


def serious_problems(page: Page, selector: str) -> list[str]:
    """Return the serious and critical findings of axe-core below ``selector``."""
    found = Axe().run(page, context=selector).response["violations"]
    return [
        f"{problem['id']}: {problem['help']}: {[node['html'] for node in problem['nodes']]}"
        for problem in found
        if problem["impact"] in ("serious", "critical")
    ]


def watch_long_tasks(page: Page) -> None:
    """Begin to record tasks of the main thread of over 50 ms (the Long Tasks API of the W3C)."""
    page.evaluate(
        """() => {
            window.longTasks = [];
            window.longTaskObserver = new PerformanceObserver(
                (list) => window.longTasks.push(...list.getEntries().map((entry) => entry.duration)));
            window.longTaskObserver.observe({entryTypes: ["longtask"]});
        }"""
    )


def long_tasks(page: Page) -> list[float]:
    """Return the durations of long tasks since ``watch_long_tasks``, in ms."""
    return [float(duration) for duration in page.evaluate("() => window.longTasks")]
