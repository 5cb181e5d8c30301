"""What an execution leaves in the notebook: HTML and text that need no script, no stylesheet and no kernel.

Only inline styles, of which JupyterLab's sanitizer keeps enough for a notebook that is not trusted
(what it does not know, such as variables, stands behind something that it does). All text is in ``pre``,
where MathJax looks for no formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from ..look import Look
from .bars import bar_text
from .colours import css_of
from .displays import size_of
from .markup import LINK
from .state import AreaState, Header
from .words import printable

__all__ = ("first_record", "live_html", "record")

_LIVE = 32 << 10  # bytes
_LONGEST_ROW = 20_000  # characters
_ALL_DISPLAYS = 8 << 20  # bytes
_TAGS = {"b": "b", "i": "i", "u": "u", "s": "s"}
_FONT = (
    "font-family:monospace;font-family:var(--jp-code-font-family,monospace);font-size:13px;line-height:1.35"
)
_FRAME = "border:1px solid #888888;border-radius:4px;margin:4px 0"
_LINE = "padding:4px 8px"
_PRE = f"margin:0;white-space:pre-wrap;overflow-wrap:anywhere;{_FONT}"
_ROWS = f"{_LINE};{_PRE}"
_SCROLLS = "overflow:auto;display:flex;flex-direction:column-reverse"  # so it is at its end at first
_STATES = {"ok": "done", "error": "failed", "timeout": "timed out"}


@dataclass(frozen=True)
class _Part:
    """Something between the lines, twice: for a page, and as text."""

    html: str
    text: str
    is_block: bool = False


def record(
    state: AreaState, *, height: int = Look.height, lines: int = 1000, size: int = 200_000
) -> dict[str, str]:
    """The MIME bundle that stays, ``text/html`` and ``text/plain``: the last ``lines`` rows at most, of
    ``size`` bytes at most, with the displays among them, and the bars. It scrolls where that is higher than
    ``height`` rows. Where there is nothing of that, and all went well, it is one line."""
    parts, left_out = _tail(state, lines, size, _ALL_DISPLAYS)
    how = state.header.how_to_read
    if left_out:
        plural = "line is" if left_out == 1 else "lines are"
        where = f"in the log: {how}" if how else "not kept here"
        parts.insert(0, _note(f"… {left_out:,} earlier {plural} {where}"))
    head, end = _head(state), _how_it_stands(state)
    bars = [bar_text(bar) for bar in state.bars.json()]
    if not parts and not bars and state.status()["state"] == "ok":
        line = f"{head} {end}"
        html = f'<div style="{_FONT};{_FRAME}">{_pre([f"<b>{escape(head)}</b> {escape(end)}"], _ROWS)}</div>'
        return {"text/html": html, "text/plain": line}
    scrolls = f"max-height:{height * 1.35 + 0.65:.2f}em;{_SCROLLS}"  # with the padding
    return {
        "text/html": _framed(head, parts, state.bars.json(), end, scrolls),
        "text/plain": "\n".join([head, *(part.text for part in parts), *bars, end]),
    }


def first_record(header: Header) -> dict[str, str]:
    """A bundle that is true whatever becomes of the execution: what it is, and how to see its output."""
    what = _what(header)
    name = printable(header.name)
    if header.how_to_read:
        how = f"The output of {name} is kept by its session. In a notebook, after %load_ext jupyter_ext, "
        how += f"{header.how_to_read} shows it."
    else:
        how = f"The output of {name} is shown live, in the notebook whose kernel runs it."
    html = f'<div style="{_FONT};{_FRAME}">{_pre([escape(what), escape(how)], _ROWS)}</div>'
    return {"text/html": html, "text/plain": f"{what}\n{how}"}


def live_html(state: AreaState, now: float, height: int | None = None) -> str:
    """How it looks at ``now`` (seconds since the epoch), in at most 32 KiB.

    For pages that have no widgets: the last ``height`` rows, or those of the terminal, and the bars as
    blocks.
    """
    bars = state.bars.json()[-12:]
    head, end = _head(state), _how_it_stands(state, now)
    frame = len(_framed(head, [], bars, end, "").encode())
    parts, _ = _tail(state, height or state.height, _LIVE - frame - 200, 0)
    return _framed(head, parts, bars, end, "")


# -- around the rows ---------------------------------------------------------------------------


def _what(header: Header) -> str:
    command = f" — {printable(header.command, 60)}" if header.command else ""
    return printable(f"{header.name} in {header.target}{command}")


def _head(state: AreaState) -> str:
    return _what(state.header)


def _how_it_stands(state: AreaState, now: float | None = None) -> str:
    status = state.status()
    parts = [_STATES.get(status["state"], status["state"])]
    if status["exit_code"] is not None:
        parts.append(f"exit code {status['exit_code']}")
    if status["duration"] is not None:
        parts.append(f"after {status['duration']:.2f} s")
    elif now is not None and status["started"] is not None:
        parts.append(f"for {max(0.0, now - status['started']):.0f} s")
    if status["behind"] and status["state"] == "queued":
        parts.append(f"behind {status['behind']}")
    if status["missing"]:
        parts.append(f"{status['missing']:,} bytes of output are missing")
    if status["error"] and status["state"] not in ("ok", "running"):
        parts.append(status["error"])
    if not state.ended and now is None:  # this stays, and the run goes on
        unknown = status["state"] == "unknown"
        parts[0] = "not seen to its end" if unknown else f"{parts[0]} when this was written"
        parts += [f"{state.header.how_to_read} shows how it went on"] if state.header.how_to_read else []
    return f"[{', '.join(parts)}]"


def _framed(head: str, parts: list[_Part], bars: list[dict[str, Any]], end: str, scrolls: str) -> str:
    body = "".join(_joined(parts, _ROWS))
    if body and scrolls:
        label = f'role="region" aria-label="{escape(head)}" tabindex="0" data-lm-suppress-shortcuts="true"'
        body = f'<div style="{scrolls}" {label}><div>{body}</div></div>'
    drawn = "".join(map(_bar, bars))
    if drawn:
        drawn = f'<div style="{_LINE}">{drawn}</div>'
    return (
        f'<div style="{_FONT};{_FRAME}">{_pre([f"<b>{escape(head)}</b>"], _ROWS)}{body}{drawn}'
        f"{_pre([escape(end)], _ROWS)}</div>"
    )


def _joined(parts: Iterable[_Part], style: str) -> Iterable[str]:
    """Neighbouring lines are one ``pre``; what is a block stands between."""
    lines: list[str] = []
    for part in parts:
        if not part.is_block:
            lines.append(part.html)
            continue
        if lines:
            yield _pre(lines, style)
            lines = []
        yield part.html
    if lines:
        yield _pre(lines, style)


def _pre(lines: list[str], style: str) -> str:
    # The parser drops a line feed that follows the tag.
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
    """The last rows within ``size`` bytes, with displays of ``displays`` bytes, and how many are left out."""
    page = state.page
    parts: list[_Part] = []
    several = len(state.sources) > 1
    number = page.end
    while number > page.first and len(parts) < lines:
        row = page.row(number - 1)
        line = _line(row.json(_LONGEST_ROW), several, row.left_out(_LONGEST_ROW))
        bundle = state.displays.get(row.display) if row.display else None
        taken = _bytes(line)
        if taken > size and not parts:  # some of one row is better than none
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
    """The beginning of a row that would take more than ``size`` bytes."""
    text = text[: max(0, size) // 8] + " …"
    return _Part(escape(text), text)


def _line(row: Any, several: bool, left_out: int) -> _Part:
    source = ""
    if isinstance(row, dict):
        source = row.get("s", "")
        row = row["t"]
    segments = [[row, ""]] if isinstance(row, str) else row
    if several and source:
        segments = [[f"[{source}] ", "b"], *segments]
    html: list[str] = []
    text: list[str] = []
    for part, words, *link in segments:
        if "h" in words.split():
            part = " " * len(part)
        text.append(part)
        html.append(_segment(part, words, link[0] if link else ""))
    if left_out:
        note = f" … {left_out:,} more characters"
        text.append(note)
        html.append(note)
    return _Part("".join(html), "".join(text))


def _segment(text: str, words: str, link: str) -> str:
    shown = escape(text)
    if not words and not link:
        return shown
    if css := css_of(words):
        shown = f'<span style="{css}">{shown}</span>'
    for word in words.split():
        if word in _TAGS:
            shown = f"<{_TAGS[word]}>{shown}</{_TAGS[word]}>"
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
