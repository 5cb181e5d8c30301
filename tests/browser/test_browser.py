from __future__ import annotations

from playwright.sync_api import Page
from support.browser import Console, long_tasks, serious_problems, watch_long_tasks


def test_errors_of_a_page_are_collected(page: Page, console: Console) -> None:
    page.goto("data:text/html,<p>hello")
    assert page.locator("p").inner_text() == "hello"
    assert not console.errors
    page.evaluate("() => { console.error('said'); setTimeout(() => { throw new Error('thrown'); }) }")
    page.wait_for_function("() => true")
    while len(console.errors) < 2:
        page.wait_for_timeout(10)
    assert console.errors[0] == "said"
    assert "thrown" in console.errors[1]


def test_axe_finds_an_image_without_alternative_text(page: Page) -> None:
    page.set_content("<main><img src='data:,'></main><p>nothing")
    assert ["image-alt" in problem for problem in serious_problems(page, "main")] == [True]
    assert serious_problems(page, "p") == []


def test_a_task_that_blocks_the_page_is_measured(page: Page) -> None:
    page.goto("data:text/html,<p>hello")
    watch_long_tasks(page)
    page.evaluate(
        "() => setTimeout(() => { const end = performance.now() + 120; while (performance.now() < end); })"
    )
    page.wait_for_function("() => window.longTasks.length > 0")
    assert max(long_tasks(page)) > 100
