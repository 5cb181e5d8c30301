"""How text looks that a terminal is given now."""

from __future__ import annotations

from .style import PLAIN, Style, after

__all__ = ("Pen",)

# DEC's special graphics (https://vt100.net/docs/vt220-rm/table2-4.html).
_DRAWINGS = str.maketrans("`afgjklmnopqrstuvwxyz{|}~", "◆▒°±┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")

State = tuple[Style, tuple[bool, bool], int]


class Pen:
    """A style, and two sets of characters (G0 and G1), either of which may be lines to draw with."""

    def __init__(self) -> None:
        self._error = False
        self.reset()

    def reset(self) -> None:
        self.style = Style(flags="e") if self._error else PLAIN
        self._drawings = (False, False)
        self._shift = 0

    @property
    def state(self) -> State:
        """What a terminal saves with its cursor."""
        return self.style, self._drawings, self._shift

    @state.setter
    def state(self, state: State) -> None:
        self.style, self._drawings, self._shift = state
        self.from_stderr(self._error)

    def from_stderr(self, error: bool) -> None:
        """Whether what comes now is from stderr, which is the program's doing and no part of its style."""
        self._error = error
        if ("e" in self.style.flags) is not error:
            flags = self.style.flags.replace("e", "")
            style = self.style._replace(flags=f"{flags}e" if error else flags)
            self.style = PLAIN if style == PLAIN else style

    def restyle(self, parameters: str) -> None:
        """Those of SGR."""
        self.style = after(self.style, parameters)

    def link(self, address: str) -> None:
        """Text that is written now leads there; an empty address ends this."""
        style = self.style._replace(link=address)
        self.style = PLAIN if style == PLAIN else style

    def designate(self, which: int, drawings: bool) -> None:
        """Let G0 or G1 be the set of characters for drawing lines, or not."""
        first, second = self._drawings
        self._drawings = (first, drawings) if which else (drawings, second)

    def shift(self, which: int) -> None:
        """Use G0 or G1."""
        self._shift = which

    @property
    def draws(self) -> bool:
        """Whether letters are lines."""
        return self._drawings[self._shift]

    def drawn(self, text: str) -> str:
        return text.translate(_DRAWINGS) if self.draws else text
