"""The record of an execution in the notebook: HTML and text that need no script, stylesheet or kernel.

The HTML has inline styles only. JupyterLab's sanitizer keeps enough of them in an untrusted notebook:
a value that it may not know, such as a variable, comes after a fallback that it knows. All text is in
``pre``, where MathJax does not look for formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby
from operator import attrgetter
from typing import Any

from pyrepl_stream.terminal import Row

from ..text import printable
from .bars import bar_text
from .colours import css_of
from .displays import size_of
from .markup import LINK
from .state import STATE_WORDS, AreaState, Header

_LIVE = 32 << 10  # maximum bytes of the live HTML
_MAX_ROW = 20_000  # characters
_MAX_DISPLAYS = 8 << 20  # bytes
_TAGS = set("bius")  # words of a style that are tags, too
_FONT = (
    "font-family:monospace;font-family:var(--jp-code-font-family,monospace);font-size:13px;line-height:1.35"
)
_FRAME = "border:1px solid #888888;border-radius:4px;margin:4px 0"
_LINE = "padding:4px 8px"
_PRE = f"margin:0;white-space:pre-wrap;overflow-wrap:anywhere;{_FONT}"
_ROWS = f"{_LINE};{_PRE}"
_SCROLLS = "overflow:auto;display:flex;flex-direction:column-reverse"  # initially scrolled to the end


@dataclass(frozen=True)
class _Part:
    """A line, or a block between lines, as HTML and as text."""

    html: str
    text: str
    is_block: bool = False


def record(state: AreaState, *, lines: int = 1000, size: int = 200_000) -> dict[str, str]:
    """Return the MIME bundle of the record, with ``text/html`` and ``text/plain``.

    It has the last rows with their displays, and the bars. A successful execution without any of these has
    a record of one line.

    Args:
        state: The state, usually at the end of the execution.
        lines: Maximum number of rows.
        size: Maximum size of the rows in bytes.
    """
    parts, left_out = _tail(state, lines, size, _MAX_DISPLAYS)
    how = state.header.how_to_read
    if left_out:
        plural = "line is" if left_out == 1 else "lines are"
        where = f"in the log: {how}" if how else "not kept here"
        parts.insert(0, _note(f"… {left_out:,} earlier {plural} {where}"))
    head, end = _title(state.header), _last_line(state)
    bars = [bar_text(bar) for bar in state.bars.json()]
    if not parts and not bars and state.status()["state"] == "ok":
        html = _frame(_pre([f"<b>{escape(head)}</b> {escape(end)}"]))
        return {"text/html": html, "text/plain": f"{head} {end}"}
    scrolls = f"max-height:{state.options.height * 1.35 + 0.65:.2f}em;{_SCROLLS}"  # including the padding
    return {
        "text/html": _framed(head, parts, state.bars.json(), end, scrolls),
        "text/plain": "\n".join([head, *(part.text for part in parts), *bars, end]),
    }


def first_record(header: Header) -> dict[str, str]:
    """Return a MIME bundle that stays valid: the name of the execution and how to see its output."""
    title = _title(header)
    name = printable(header.name)
    if header.how_to_read:
        how = f"Its session keeps the output of {name}. To see it in a notebook, run %load_ext jupyter_ext "
        how += f"and {header.how_to_read}."
    else:
        how = f"The output of {name} is only shown live, in the notebook whose kernel runs it."
    return {"text/html": _frame(_pre([escape(title), escape(how)])), "text/plain": f"{title}\n{how}"}


def live_html(state: AreaState, now: float) -> str:
    """Return at most 32 KiB of HTML that shows the running execution on pages without widgets.

    Args:
        state: The state.
        now: The current time, in seconds since the epoch.
    """
    bars = state.bars.json()[-12:]
    head, end = _title(state.header), _last_line(state, now)
    frame = len(_framed(head, [], bars, end, "").encode())
    parts, _ = _tail(state, state.options.height, _LIVE - frame - 200, 0)
    return _framed(head, parts, bars, end, "")


# -- around the rows ---------------------------------------------------------------------------


def _title(header: Header) -> str:
    command = f" — {printable(header.command, 60)}" if header.command else ""
    return printable(f"{header.name} in {header.target}{command}")


def _last_line(state: AreaState, now: float | None = None) -> str:
    """Describe the state at ``now``, or for a record if it is None."""
    status = state.status()
    parts = [STATE_WORDS.get(status["state"], status["state"])]
    if status["exit_code"] is not None:
        parts.append(f"exit code {status['exit_code']}")
    if status["duration"] is not None:
        parts.append(f"after {status['duration']:.2f} s")
    elif now is not None and status["started"] is not None:
        parts.append(f"for {max(0.0, now - status['started']):.0f} s")
    if status["waits_for"] and status["state"] == "queued":
        parts.append(f"waits for {status['waits_for']}")
    if status["missing"]:
        parts.append(f"{status['missing']:,} bytes of output are missing")
    if status["error"] and status["state"] not in ("ok", "running"):
        parts.append(status["error"])
    if not state.ended and now is None:  # the record stays, but the execution continues
        parts[0] = "end unknown" if status["state"] == "unknown" else f"{parts[0]} when this was written"
        how = state.header.how_to_read
        parts += [f"run {how} to see the rest"] if how else []
    return f"[{', '.join(parts)}]"


def _framed(head: str, parts: list[_Part], bars: list[dict[str, Any]], end: str, scrolls: str) -> str:
    body = "".join(_joined(parts))
    if body and scrolls:
        label = f'role="region" aria-label="{escape(head)}" tabindex="0" data-lm-suppress-shortcuts="true"'
        body = f'<div style="{scrolls}" {label}><div>{body}</div></div>'
    drawn = f'<div style="{_LINE}">{"".join(map(_bar, bars))}</div>' if bars else ""
    return _frame(_pre([f"<b>{escape(head)}</b>"]), body, drawn, _pre([escape(end)]))


def _frame(*blocks: str) -> str:
    return f'<div style="{_FONT};{_FRAME}">{"".join(blocks)}</div>'


def _joined(parts: Iterable[_Part]) -> Iterable[str]:
    """Join consecutive lines into one ``pre``; keep the blocks between them."""
    for is_block, group in groupby(parts, key=attrgetter("is_block")):
        html = [part.html for part in group]
        yield from html if is_block else [_pre(html)]


def _pre(lines: list[str], style: str = _ROWS) -> str:
    # The HTML parser drops a line feed that follows the tag.
    return f'<pre style="{style}">\n' + "\n".join(lines) + "</pre>"


def _bar(bar: Mapping[str, Any]) -> str:
    text = _pre([escape(bar_text(bar))], _PRE)
    if bar.get("percentage") is None:
        return text
    share = f"{bar['percentage']:.0f}%"
    track = "height:6px;max-width:40em;background-color:#9994;border-radius:3px;margin:2px 0 4px"
    fill = f"height:6px;width:{share};background-color:#2b7bd6;border-radius:3px"
    return f'{text}<div style="{track}"><div style="{fill}"></div></div>'


# -- rows --------------------------------------------------------------------------------------


def _tail(state: AreaState, lines: int, size: int, displays: int) -> tuple[list[_Part], int]:
    """Return the last rows, and the number of rows that are left out before them.

    Args:
        state: The state.
        lines: Maximum number of rows.
        size: Maximum size of the rows in bytes.
        displays: Maximum size of the displays in bytes.
    """
    page = state.page
    parts: list[_Part] = []
    several = len(state.sources) > 1
    number = page.end
    while number > page.first and len(parts) < lines:
        row = page.row(number - 1)
        line = _line(row, several)
        bundle = state.displays.get(row.display) if row.display else None
        taken = _bytes(line)
        if taken > size and not parts:  # show at least a part of the last row
            line = _plain(line.text, size)
            taken = min(size, _bytes(line))
        if taken > size:
            break
        size -= taken
        parts.append(line)
        if bundle is not None:
            fits = size_of(bundle) <= displays
            displays -= size_of(bundle) if fits else 0
            drawn = _display(bundle if fits else _withheld(bundle))
            parts[-1:] = [line, drawn] if line.text else [drawn]
        number -= 1
    return parts[::-1], number


def _bytes(part: _Part) -> int:
    return max(len(part.html.encode()), len(part.text.encode())) + 1


def _plain(text: str, size: int) -> _Part:
    """Return the beginning of a row that would take more than ``size`` bytes."""
    text = text[: max(0, size) // 8] + " …"
    return _Part(escape(text), text)


def _line(row: Row, several: bool) -> _Part:
    segments = row.parts(_MAX_ROW)
    if several and row.source:
        segments.insert(0, [f"[{row.source}] ", "b"])
    if left_out := row.left_out(_MAX_ROW):
        segments.append([f" … {left_out:,} more characters", ""])
    html: list[str] = []
    text: list[str] = []
    for part, words, *link in segments:
        if "h" in words.split():
            part = " " * len(part)
        text.append(part)
        html.append(_segment(part, words, link[0] if link else ""))
    return _Part("".join(html), "".join(text))


def _segment(text: str, words: str, link: str) -> str:
    shown = escape(text)
    if not words and not link:
        return shown
    if css := css_of(words):
        shown = f'<span style="{css}">{shown}</span>'
    for word in words.split():
        if word in _TAGS:
            shown = f"<{word}>{shown}</{word}>"
    if LINK.match(link):
        leads = f'href="{escape(link)}" target="_blank" rel="noopener noreferrer"'
        shown = f'<a {leads} style="color:inherit">{shown}</a>'
    return shown


def _display(bundle: Mapping[str, Any]) -> _Part:
    kind, style = bundle["kind"], f"{_LINE};overflow:auto"
    if kind == "image":
        size = "".join(f' {name}="{bundle[name]}"' for name in ("width", "height") if name in bundle)
        source, alt = escape(bundle["src"]), escape(bundle["alt"])
        image = f'<img src="{source}" alt="{alt}"{size} style="max-width:100%">'
        return _Part(f'<div style="{style}">{image}</div>', f"[{bundle['alt']}]", is_block=True)
    if kind == "html":
        return _Part(f'<div style="{style}">{bundle["html"]}</div>', bundle["text"], is_block=True)
    return _Part(escape(bundle["text"]), bundle["text"])


def _withheld(bundle: Mapping[str, Any]) -> dict[str, str]:
    return {"kind": "note", "text": f"[{bundle.get('alt') or 'a display'}: {size_of(bundle):,} bytes]"}


def _note(text: str) -> _Part:
    return _Part(f"<i>{escape(text)}</i>", text)
