"""The effects of control characters and escape sequences on a terminal.

The names follow ECMA-48 and xterm (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html).
Sequences that are not listed here have no visible effect.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeAlias

from .style import safe_link
from .terminal import Terminal

Action: TypeAlias = Callable[[Terminal], object]
_Csi: TypeAlias = Callable[[Terminal, Sequence[int]], object]

_MOST = 1 << 16
"""The maximum value of a parameter; larger values are reduced to it. No screen is larger."""
_LONGEST_TITLE = 1024
_SHORT = 32  # maximum length of sequences that are likely to recur, in characters


def action(control: str) -> Action | None:
    """Return the effect of a control character or complete escape sequence, or None if it has no effect.

    Backspaces may be passed together, as programs write as many as the columns that they draw again.
    """
    return _CONTROLS.get(control) or (_remembered if len(control) <= _SHORT else _action)(control)


def _action(control: str) -> Action | None:
    if "\x80" <= control[0] <= "\x9f":
        control = f"\x1b{chr(ord(control[0]) - 0x40)}{control[1:]}"
    if control[0] == "\b":
        return lambda terminal: terminal.left(len(control))
    if len(control) == 1:
        return _CONTROLS.get(control)
    if control[1] == "[":
        return _csi(control[2:-1], control[-1])
    if control[1] == "]":
        return _osc(re.sub(r"(?:\x07|\x1b\\|\x9c)\Z", "", control[2:]))
    return _ESCAPES.get(control[1:])


_remembered = lru_cache(maxsize=2048)(_action)

_CONTROLS: dict[str, Action] = {
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
    if final in "JK":  # the question mark spares protected text, which is not implemented
        body = body.removeprefix("?")
    function = _CSIS.get(final)
    if function is None or not re.fullmatch(r"[0-9;]*", body):
        return None
    parameters = [min(int(one or "0"), _MOST) for one in f"{body};0".split(";")]
    return lambda terminal: function(terminal, parameters)


def _counted(move: Callable[[Terminal, int], object]) -> _Csi:
    """Return a function that passes its first parameter to ``move`` as a count, which is 1 by default."""
    return lambda terminal, parameters: move(terminal, parameters[0] or 1)


def _next_line(terminal: Terminal, count: int) -> None:
    terminal.down(count)
    terminal.to_column(0)


def _previous_line(terminal: Terminal, count: int) -> None:
    terminal.up(count)
    terminal.to_column(0)


def _position(terminal: Terminal, parameters: Sequence[int]) -> None:
    terminal.to_row(parameters[0] - 1)
    terminal.to_column(parameters[1] - 1)


def _insert_mode(terminal: Terminal, parameters: Sequence[int], on: bool) -> None:
    if 4 in parameters:
        terminal.inserting = on


_CSIS: dict[str, _Csi] = {
    "@": _counted(Terminal.insert),
    "A": _counted(Terminal.up),
    "B": _counted(Terminal.down),
    "C": _counted(Terminal.right),
    "D": _counted(Terminal.left),
    "E": _counted(_next_line),
    "F": _counted(_previous_line),
    "G": lambda terminal, parameters: terminal.to_column(parameters[0] - 1),
    "H": _position,
    "I": _counted(Terminal.tab),
    "J": lambda terminal, parameters: terminal.erase_display(parameters[0]),
    "K": lambda terminal, parameters: terminal.erase_line(parameters[0]),
    "L": _counted(Terminal.insert_lines),
    "M": _counted(Terminal.delete_lines),
    "P": _counted(Terminal.delete),
    "S": _counted(Terminal.scroll_up),
    "T": _counted(Terminal.scroll_down),
    "X": _counted(Terminal.erase_characters),
    "Z": _counted(Terminal.back_tab),
    "b": _counted(Terminal.repeat),
    "d": lambda terminal, parameters: terminal.to_row(parameters[0] - 1),
    "g": lambda terminal, parameters: terminal.clear_tabs(parameters[0]),
    "h": lambda terminal, parameters: _insert_mode(terminal, parameters, True),
    "l": lambda terminal, parameters: _insert_mode(terminal, parameters, False),
    "r": lambda terminal, parameters: terminal.margins(parameters[0] - 1, (parameters[1] or _MOST) - 1),
    "s": lambda terminal, parameters: terminal.save(),
    "u": lambda terminal, parameters: terminal.restore(),
}
_CSIS |= {"`": _CSIS["G"], "a": _CSIS["C"], "e": _CSIS["B"], "f": _CSIS["H"]}


_MODES: dict[str, Callable[[Terminal, bool], object]] = {
    "6": Terminal.originate,
    "47": lambda terminal, on: terminal.alternate(on, cursor=False),
    "1047": lambda terminal, on: terminal.alternate(on, cursor=False),
    "1048": lambda terminal, on: terminal.save() if on else terminal.restore(),
    "1049": lambda terminal, on: terminal.alternate(on, cursor=True),
}


def _modes(body: str, on: bool) -> Action | None:
    """Return the effect of private modes: the alternate screen, the saved cursor and the origin mode."""
    modes = [_MODES[mode] for mode in body.split(";") if mode in _MODES]
    if not modes:
        return None
    return lambda terminal: [mode(terminal, on) for mode in modes]


# -- operating system commands -----------------------------------------------------------------


def _osc(body: str) -> Action | None:
    kind, _, value = body.partition(";")
    if kind in ("0", "2"):
        return lambda terminal: setattr(terminal, "title", value[:_LONGEST_TITLE])
    if kind == "8":
        link = safe_link(value.partition(";")[2])
        return lambda terminal: terminal.pen.link(link)
    return None
