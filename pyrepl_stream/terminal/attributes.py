"""The style of the text that a terminal receives next."""

from __future__ import annotations

from .style import PLAIN, after

# DEC's special graphics (https://vt100.net/docs/vt220-rm/table2-4.html).
_DRAWINGS = str.maketrans("`afgjklmnopqrstuvwxyz{|}~", "◆▒°±┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")


class Pen:
    """A style, and two character sets (G0 and G1), either of which may be DEC's line drawing set."""

    def __init__(self) -> None:
        self.style = PLAIN
        self._drawings = (False, False)
        self._shift = 0

    def from_stderr(self, error: bool) -> None:
        """Mark the text that follows as written to stderr or not. SGR does not change this mark."""
        if ("e" in self.style.flags) is not error:
            flags = self.style.flags.replace("e", "")
            self._change(flags=f"{flags}e" if error else flags)

    def restyle(self, parameters: str) -> None:
        """Apply the parameters of an SGR sequence."""
        self.style = after(self.style, parameters)

    def link(self, address: str) -> None:
        """Link the text that follows to ``address``; an empty address ends the link."""
        self._change(link=address)

    def _change(self, **fields: str) -> None:
        style = self.style._replace(**fields)
        self.style = PLAIN if style == PLAIN else style

    def designate(self, which: int, drawings: bool) -> None:
        """Assign the line drawing set, or ordinary characters, to G0 (0) or G1 (1)."""
        first, second = self._drawings
        self._drawings = (first, drawings) if which else (drawings, second)

    def shift(self, which: int) -> None:
        """Use G0 (0) or G1 (1) from now on."""
        self._shift = which

    @property
    def draws(self) -> bool:
        """True when letters are shown as lines."""
        return self._drawings[self._shift]

    def drawn(self, text: str) -> str:
        """Return the text with its letters replaced by lines, if they are shown as such."""
        return text.translate(_DRAWINGS) if self._drawings[self._shift] else text
