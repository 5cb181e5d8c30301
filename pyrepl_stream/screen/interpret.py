"""What control characters and escape sequences do to a terminal.

The names are those of ECMA-48 and of xterm (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html).
What is not here changes nothing that could be seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from .style import safe_link
from .terminal import Terminal

__all__ = ("action",)

Action: TypeAlias = Callable[[Terminal], object]
_Csi: TypeAlias = Callable[[Terminal, Sequence[int]], object]

_MOST = 1 << 16
"""No parameter is larger than this, as no screen is."""
_LONGEST_TITLE = 1024
_SHORT = 32  # characters of sequences that are likely to come again


def action(control: str) -> Action | None:
    """What a control character or a complete escape sequence does; None where that is nothing."""
    return _remembered(control) if len(control) <= _SHORT else _action(control)


def _action(control: str) -> Action | None:
    if "\x80" <= control[0] <= "\x9f":
        control = f"\x1b{chr(ord(control[0]) - 0x40)}{control[1:]}"
    if len(control) == 1:
        return _CONTROLS.get(control)
    if control[1] == "[":
        return _csi(control[2:-1], control[-1])
    if control[1] == "]":
        return _osc(re.sub(r"(?:\x07|\x1b\\|\x9c)\Z", "", control[2:]))
    return _ESCAPES.get(control[1:])


_remembered = lru_cache(maxsize=2048)(_action)

_CONTROLS: dict[str, Action] = {
    "\b": lambda terminal: terminal.left(1),
    "\t": lambda terminal: terminal.tab(1),
    "\n": Terminal.line_feed,
    "\v": Terminal.index,
    "\f": Terminal.index,
    "\r": Terminal.carriage_return,
    "\x0e": lambda terminal: terminal.pen.shift(1),
    "\x0f": lambda terminal: terminal.pen.shift(0),
}
_ESCAPES: dict[str, Action] = {
    "7": Terminal.save,
    "8": Terminal.restore,
    "D": Terminal.index,
    "E": Terminal.line_feed,
    "H": Terminal.set_tab,
    "M": Terminal.reverse_index,
    "c": Terminal.reset,
    "(0": lambda terminal: terminal.pen.designate(0, True),
    "(A": lambda terminal: terminal.pen.designate(0, False),
    "(B": lambda terminal: terminal.pen.designate(0, False),
    ")0": lambda terminal: terminal.pen.designate(1, True),
    ")A": lambda terminal: terminal.pen.designate(1, False),
    ")B": lambda terminal: terminal.pen.designate(1, False),
}


# -- control sequences -------------------------------------------------------------------------


def _csi(body: str, final: str) -> Action | None:
    if final == "m":
        if re.fullmatch(r"[0-9;:]*", body):
            return lambda terminal: terminal.pen.restyle(body)
        return None
    if body.startswith("?") and final in "hl":
        return _modes(body[1:], final == "h")
    if final in "JK":  # with a question mark, all is erased that is not protected, and nothing is
        body = body.removeprefix("?")
    function = _CSIS.get(final)
    if function is None or not re.fullmatch(r"[0-9;]*", body):
        return None
    parameters = [min(int(one or "0"), _MOST) for one in body.split(";")]
    return lambda terminal: function(terminal, parameters)


def _count(parameters: Sequence[int]) -> int:
    return parameters[0] or 1


def _at(parameters: Sequence[int], place: int) -> int:
    """A row or a column, counted from 0."""
    return max(parameters[place] - 1, 0) if place < len(parameters) else 0


def _next_line(terminal: Terminal, count: int) -> None:
    terminal.down(count)
    terminal.to_column(0)


def _previous_line(terminal: Terminal, count: int) -> None:
    terminal.up(count)
    terminal.to_column(0)


def _position(terminal: Terminal, y: int, x: int) -> None:
    terminal.to_row(y)
    terminal.to_column(x)


def _insert_mode(terminal: Terminal, parameters: Sequence[int], on: bool) -> None:
    if 4 in parameters:
        terminal.inserting = on


def _margins(terminal: Terminal, top: int, bottom: int = 0) -> None:
    terminal.margins(max(top - 1, 0), (bottom or _MOST) - 1)


_CSIS: dict[str, _Csi] = {
    "@": lambda terminal, parameters: terminal.insert(_count(parameters)),
    "A": lambda terminal, parameters: terminal.up(_count(parameters)),
    "B": lambda terminal, parameters: terminal.down(_count(parameters)),
    "C": lambda terminal, parameters: terminal.right(_count(parameters)),
    "D": lambda terminal, parameters: terminal.left(_count(parameters)),
    "E": lambda terminal, parameters: _next_line(terminal, _count(parameters)),
    "F": lambda terminal, parameters: _previous_line(terminal, _count(parameters)),
    "G": lambda terminal, parameters: terminal.to_column(_at(parameters, 0)),
    "H": lambda terminal, parameters: _position(terminal, _at(parameters, 0), _at(parameters, 1)),
    "I": lambda terminal, parameters: terminal.tab(_count(parameters)),
    "J": lambda terminal, parameters: terminal.erase_display(parameters[0]),
    "K": lambda terminal, parameters: terminal.erase_line(parameters[0]),
    "L": lambda terminal, parameters: terminal.insert_lines(_count(parameters)),
    "M": lambda terminal, parameters: terminal.delete_lines(_count(parameters)),
    "P": lambda terminal, parameters: terminal.delete(_count(parameters)),
    "S": lambda terminal, parameters: terminal.scroll_up(_count(parameters)),
    "T": lambda terminal, parameters: terminal.scroll_down(_count(parameters)),
    "X": lambda terminal, parameters: terminal.erase_characters(_count(parameters)),
    "Z": lambda terminal, parameters: terminal.back_tab(_count(parameters)),
    "`": lambda terminal, parameters: terminal.to_column(_at(parameters, 0)),
    "a": lambda terminal, parameters: terminal.right(_count(parameters)),
    "b": lambda terminal, parameters: terminal.repeat(_count(parameters)),
    "d": lambda terminal, parameters: terminal.to_row(_at(parameters, 0)),
    "e": lambda terminal, parameters: terminal.down(_count(parameters)),
    "f": lambda terminal, parameters: _position(terminal, _at(parameters, 0), _at(parameters, 1)),
    "g": lambda terminal, parameters: terminal.clear_tabs(parameters[0]),
    "h": lambda terminal, parameters: _insert_mode(terminal, parameters, True),
    "l": lambda terminal, parameters: _insert_mode(terminal, parameters, False),
    "r": lambda terminal, parameters: _margins(terminal, *parameters[:2]),
    "s": lambda terminal, parameters: terminal.save(),
    "u": lambda terminal, parameters: terminal.restore(),
}


def _modes(body: str, on: bool) -> Action | None:
    """Private modes of DEC and xterm: of all these, only the alternate screen and the origin can be seen."""
    modes = {"47": False, "1047": False, "1049": True}
    wanted = body.split(";")
    found = [modes[mode] for mode in wanted if mode in modes]
    if "6" in wanted:
        return lambda terminal: terminal.originate(on)
    if not found:
        return None
    return lambda terminal: terminal.alternate(on, cursor=any(found))


# -- operating system commands -----------------------------------------------------------------


def _osc(body: str) -> Action | None:
    kind, _, value = body.partition(";")
    if kind in ("0", "2"):
        return lambda terminal: setattr(terminal, "title", value[:_LONGEST_TITLE])
    if kind == "8":
        link = safe_link(value.partition(";")[2])
        return lambda terminal: terminal.pen.link(link)
    return None
