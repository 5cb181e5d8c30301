"""Colour in text, as far as it can be shown, and colours by stream and source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType

from ..errors import UsageError
from ..messages import Message, OutputMessage
from .colour_policy import TRUE_COLOUR, ColourPolicy, hint
from .escapes import CONTROL, SEQUENCE, TEXT, has_escapes, tokens, without_start
from .palette import after_sgr, convert_sgr, sgr_off
from .strip_ansi import Rewriting, TextRewriter

__all__ = ("SCHEMES", "Colour", "Scheme")


@dataclass(frozen=True)
class Scheme:
    """Styles, as parameters of SGR: ``32`` is green, ``1;38;5;22`` bold and dark green.

    ``streams``: by `stdout`, `stderr`, or the type of message where there is no stream, such as `log`.
    ``sourced``: the same, for messages that have a source. ``sources``: by patterns of the source's label
    (``worker-*``), of which the first that matches goes before the others. Raises :class:`UsageError`.
    """

    streams: Mapping[str, str]
    sourced: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for style in (*self.streams.values(), *self.sourced.values(), *self.sources.values()):
            if not re.fullmatch("[0-9;:]{0,100}", style):
                raise UsageError(f"{style!r} is no style: give parameters of SGR, such as '32' for green")

    def style(self, stream: str, source: str) -> str:
        """Empty where such text stays as it is."""
        if source:
            for pattern, style in self.sources.items():
                if fnmatchcase(source, pattern):
                    return style
            if stream in self.sourced:
                return self.sourced[stream]
        return self.streams.get(stream, "")


def _colours(stdout: str, stderr: str, yellow: str) -> Scheme:
    return Scheme({"stdout": stdout, "stderr": stderr, "log": yellow}, {"stderr": yellow})


# Those of dark and light are read on black and white: a contrast of 4.5 or more (WCAG 2.1, 1.4.3).
SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "default": _colours("32", "31", "33"),
        "dark": _colours("38;5;114", "38;5;210", "38;5;228"),
        "light": _colours("38;5;22", "38;5;124", "38;5;58"),
    }
)


# -- the processor -----------------------------------------------------------------------------

# One set of characters at the start lets the search skip text fast: 4 times as fast over plain lines.
_SGR = r"[\x1b\x9b](?:(?<=\x1b)\[|(?<=\x9b))([0-9:;]{0,1024})m"
_COLOUR = re.compile(_SGR)
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
_ALL = re.compile(f"(?={_CONTROL})(?:{_SGR}|{SEQUENCE}|{_CONTROL})")
_ANY = re.compile(_CONTROL)
_RETURN = re.compile(rf"\r((?:\r|{_SGR})*)(\n?)")
_LINE = re.compile(r"[^\r\n]+")
_NONE: frozenset[str] = frozenset()


@dataclass
class _State(Rewriting):
    returned: bool = False  # a carriage return waits for what follows it
    begun: bool = False  # the line shows something, so that a carriage return ends it
    styles: frozenset[str] = _NONE  # what the program itself has switched on
    saved: frozenset[str] = _NONE
    styled: bool = False  # the program itself has styled this line

    def __bool__(self) -> bool:
        return bool(self.escapes or self.returned or self.begun or self.styles or self.saved or self.styled)


class Colour(TextRewriter[_State]):
    """Brings text to what can be shown, and (``colour_streams``) paints what has no colour of its own.

    Colours that cannot be shown become the nearest ones, or go where none can be. Where the cursor cannot
    move, a carriage return that does not end a line becomes a line feed, unless the line is empty, and all
    sequences but colours go, as do control characters; the text of links stays. With all colours and
    a cursor, text passes unchanged.

    Painted are the lines that a program does not style itself, up to where it does, by the ``scheme``: one
    of :data:`SCHEMES` or your own. Each painted piece is ended in its line. Bytes that are no UTF-8 are
    not painted. Raises :class:`UsageError` for a scheme that is not known.
    """

    def __init__(
        self, policy: ColourPolicy, scheme: str | Scheme = "default", *, colour_streams: bool = False
    ) -> None:
        super().__init__()
        if isinstance(scheme, str) and scheme not in SCHEMES:
            raise UsageError(f"there is no colour scheme {scheme!r}: {hint(scheme, SCHEMES)}")
        self._scheme = SCHEMES[scheme] if isinstance(scheme, str) else scheme
        self._policy = policy
        self._paints = colour_streams and policy.depth > 0
        self._bring_down = _converter(policy)

    def for_reader(self) -> Colour:
        return Colour(self._policy, self._scheme, colour_streams=self._paints)

    def paint(self, text: str, message: Message) -> str:
        """``text``, in which no sequence is cut, in the colour of the message's stream and source."""
        return self._paint(_State(), text, message)

    def __call__(self, message: Message) -> Iterable[Message]:
        if self._bring_down is None and self._policy.cursor and not self._paints:
            return (message,)
        return super().__call__(message)

    def _new_state(self) -> _State:
        return _State()

    def _rewrite(self, state: _State, text: str, message: Message) -> str:
        if self._bring_down is not None:
            text = self._bring_down(text)
        if not self._policy.cursor:
            text = _without_returns(state, text)
        if self._paints and not state.of_bytes:
            text = self._paint(state, text, message)
        return text

    def _rewrite_unfinished(self, state: _State, unfinished: str, message: Message) -> str:
        return unfinished if self._policy.cursor else self._rewrite(state, without_start(unfinished), message)

    def _rewrite_end(self, state: _State) -> str:
        ended = state.returned and state.begun
        if state.returned:
            state.returned = state.begun = False
        return "\n" if ended else ""

    def _paint(self, state: _State, text: str, message: Message) -> str:
        stream = message.stream if isinstance(message, OutputMessage) else message.type
        style = self._scheme.style(getattr(stream, "value", stream), message.source)
        begin, end = _around(style, self._policy.depth)
        if not begin:
            return text
        if not (state.styles or state.saved or state.styled or has_escapes(text)):
            return _LINE.sub(rf"{begin}\g<0>{end}", text)
        pieces: list[str] = []
        for kind, characters in tokens(text):
            if kind == TEXT and not state.styled and not state.styles:
                characters = f"{begin}{characters}{end}"
            elif kind == CONTROL:
                state.styled = state.styled and characters not in "\r\n"
            elif kind != TEXT:
                _follow(state, characters)
            pieces.append(characters)
        return "".join(pieces)


def _converter(policy: ColourPolicy) -> Callable[[str], str] | None:
    """What changes sequences; None where all of them can stay."""
    depth = policy.depth

    def replaced(match: re.Match[str]) -> str:
        if match[1] is None:
            return ""
        converted = convert_sgr(match[1], depth)
        if converted == match[1]:
            return match[0]
        return "" if converted is None else f"\x1b[{converted}m"

    change = "" if depth == 0 else replaced
    if not policy.cursor:
        return lambda text: _ALL.sub(change, text) if _ANY.search(text) else text
    return None if depth == TRUE_COLOUR else lambda text: _COLOUR.sub(change, text)


def _without_returns(state: _State, text: str) -> str:
    """Carriage returns as ends of lines. The last one waits, as only what follows tells what it is."""
    if state.returned:
        text, state.returned = "\r" + text, False
    pieces: list[str] = []
    start = 0
    for match in _RETURN.finditer(text):
        line = text[start : match.start()]
        begun = _begun(line, state.begun)
        start = match.end()
        pieces += (line, match[1].replace("\r", ""))
        state.returned = start == len(text) and not match[3]
        if state.returned:
            state.begun = begun
            return "".join(pieces)
        pieces.append("\r\n" if match[3] else "\n" if begun else "")
        state.begun = False
    line = text[start:]
    state.begun = _begun(line, state.begun)
    return "".join((*pieces, line)) if pieces else text


def _begun(text: str, before: bool) -> bool:
    """Whether the last line shows anything, given whether it did before."""
    _, ended, last = text.rpartition("\n")
    return (before and not ended) or bool(_COLOUR.sub("", last))


def _follow(state: _State, sequence: str) -> None:
    """Keep account of what the program itself has switched on."""
    match = _COLOUR.fullmatch(sequence)
    if match is not None:
        state.styles, state.styled = after_sgr(state.styles, match[1]), True
    elif sequence in ("\x1b7", "\x1b[s"):  # with the cursor's place its style is saved, and comes back
        state.saved = state.styles
    elif sequence in ("\x1b8", "\x1b[u"):
        state.styles = state.saved
    elif sequence in ("\x1bc", "\x1b[!p"):  # resets
        state.styles = state.saved = _NONE


@lru_cache(maxsize=256)
def _around(style: str, depth: int) -> tuple[str, str]:
    """What begins a style on a terminal of that depth, and what ends it."""
    shown = convert_sgr(style, depth) if style and depth else ""
    return (f"\x1b[{shown}m", f"\x1b[{sgr_off(shown)}m") if shown and sgr_off(shown) else ("", "")
