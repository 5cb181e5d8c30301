"""Conversion of colours to those that a view can show, and colouring of text by stream and source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from types import MappingProxyType

from ..runtime.errors import UsageError
from ..runtime.messages import Message, OutputMessage
from ..runtime.validation import check_choice
from ..terminal.palette import after_sgr, convert_sgr, sgr_off
from ..terminal.parser import SEQUENCE, has_escapes, tokens
from .colour_policy import TRUE_COLOUR, ColourPolicy
from .strip_ansi import Rewriting, TextRewriter

__all__ = ("SCHEMES", "Colour", "Scheme")


@dataclass(frozen=True)
class Scheme:
    """Styles of text, as SGR parameters: ``32`` is green, ``1;38;5;22`` is bold and dark green.

    Args:
        streams: Styles for `stdout` and `stderr`, and for types of messages without a stream, such as
            `log`.
        sourced: Like ``streams``, but for messages that have a source.
        sources: Styles by patterns of the source's label, such as ``worker-*``. The first pattern that
            matches takes precedence over ``streams`` and ``sourced``.

    Raises:
        UsageError: A style does not consist of SGR parameters.
    """

    streams: Mapping[str, str]
    sourced: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for style in (*self.streams.values(), *self.sourced.values(), *self.sources.values()):
            if not re.fullmatch("[0-9;:]{0,100}", style):
                raise UsageError(f"{style!r} is not a style: give parameters of SGR, such as '32' for green")

    def style(self, stream: str, source: str) -> str:
        """Return the style for text from a stream and a source; an empty string if there is no style."""
        if source:
            for pattern, style in self.sources.items():
                if fnmatchcase(source, pattern):
                    return style
            if stream in self.sourced:
                return self.sourced[stream]
        return self.streams.get(stream, "")


def _colours(stdout: str, stderr: str, yellow: str) -> Scheme:
    return Scheme({"stdout": stdout, "stderr": stderr, "log": yellow}, {"stderr": yellow})


# The colours of `dark` on black and of `light` on white have a contrast of at least 4.5 (WCAG 2.1, 1.4.3).
SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "default": _colours("32", "31", "33"),
        "dark": _colours("38;5;114", "38;5;210", "38;5;228"),
        "light": _colours("38;5;22", "38;5;124", "38;5;58"),
    }
)
"""Schemes by name."""


# -- the processor -----------------------------------------------------------------------------

# With a character set at the start of the pattern, the search skips plain lines four times as fast.
_SGR = r"[\x1b\x9b](?:(?<=\x1b)\[|(?<=\x9b))([0-9:;]{0,1024})m"
_COLOUR = re.compile(_SGR)
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
_ALL = re.compile(f"(?={_CONTROL})(?:{_SGR}|{SEQUENCE}|{_CONTROL})")
_ANY = re.compile(_CONTROL)
_RETURN = re.compile(rf"\r((?:\r|{_SGR})*)(\n?)")
_LINE = re.compile(r"[^\r\n]+")
_NONE: frozenset[int] = frozenset()


@dataclass
class _State(Rewriting):
    returned: bool = False  # a carriage return is held until the next character is known
    begun: bool = False  # the line has visible text, so a carriage return ends it
    styles: frozenset[int] = _NONE  # styles that the program has switched on
    saved: frozenset[int] = _NONE
    styled: bool = False  # the program has styled this line

    def __bool__(self) -> bool:
        return bool(self.escapes or self.returned or self.begun or self.styles or self.saved or self.styled)


class Colour(TextRewriter[_State]):
    """Converts colours to those that a view can show, and can colour text by its stream and source.

    A colour that the view cannot show is replaced with the nearest one, or removed if the view shows no
    colours. If the cursor cannot move, a carriage return within a line becomes a line feed, unless the line
    is empty; control characters and all sequences except colours are removed, but the text of links stays.
    If the view shows all colours and its cursor can move, text passes unchanged.

    With ``colour_streams``, the parts of lines that the program does not style itself are coloured, and no
    coloured part extends beyond the end of its line. Bytes that are not UTF-8 are not coloured.

    Args:
        policy: The colours that the view can show, and whether its cursor can move.
        scheme: The colours of streams and sources: a name in :data:`SCHEMES`, or a :class:`Scheme`.
        colour_streams: Colour text by its stream and source.

    Raises:
        UsageError: The name of the scheme is unknown.
    """

    def __init__(
        self, policy: ColourPolicy, scheme: str | Scheme = "default", *, colour_streams: bool = False
    ) -> None:
        super().__init__()
        if isinstance(scheme, str):
            scheme = SCHEMES[check_choice("colour scheme", scheme, SCHEMES)]
        self._scheme = scheme
        self._policy = policy
        self._paints = colour_streams and policy.depth > 0
        self._convert = _converter(policy)

    def paint(self, text: str, message: Message) -> str:
        """Return ``text`` in the colour of the message's stream and source.

        The text must not contain partial sequences.
        """
        return self._paint(_State(), text, message)

    def __call__(self, message: Message) -> Iterable[Message]:
        """Process one message."""
        if self._convert is None and self._policy.cursor and not self._paints:
            return (message,)
        return super().__call__(message)

    def _new_state(self) -> _State:
        return _State()

    def _rewrite(self, state: _State, text: str, message: Message) -> str:
        if self._convert is not None:
            text = self._convert(text)
        if not self._policy.cursor:
            text = _without_returns(state, text)
        if self._paints and not state.of_bytes:
            text = self._paint(state, text, message)
        return text

    def _rewrite_unfinished(self, state: _State, unfinished: str, message: Message) -> str:
        return unfinished if self._policy.cursor else super()._rewrite_unfinished(state, unfinished, message)

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
        for shown, control in tokens(text):
            if shown and not state.styled and not state.styles:
                shown = f"{begin}{shown}{end}"
            elif control in ("\r", "\n"):
                state.styled = False
            elif control:
                _follow(state, control)
            pieces.append(shown or control)
        return "".join(pieces)


def _converter(policy: ColourPolicy) -> Callable[[str], str] | None:
    """Return a function that converts sequences; None if no sequence has to change."""
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
    """Replace carriage returns with line feeds. One at the end is held, since a line feed may follow."""
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
    """Return True if the last line has visible text; ``before`` is the result for the preceding text."""
    _, ended, last = text.rpartition("\n")
    return (before and not ended) or bool(_COLOUR.sub("", last))


def _follow(state: _State, sequence: str) -> None:
    """Record the styles that the program switches on and off."""
    match = _COLOUR.fullmatch(sequence)
    if match is not None:
        state.styles, state.styled = after_sgr(state.styles, match[1]), True
    elif sequence in ("\x1b7", "\x1b[s"):  # the style is saved and restored with the cursor
        state.saved = state.styles
    elif sequence in ("\x1b8", "\x1b[u"):
        state.styles = state.saved
    elif sequence in ("\x1bc", "\x1b[!p"):  # a reset of the terminal
        state.styles = state.saved = _NONE


@lru_cache(maxsize=256)
def _around(style: str, depth: int) -> tuple[str, str]:
    """Return the sequences that begin and end a style on a terminal with ``depth`` colours."""
    shown = convert_sgr(style, depth) if style and depth else ""
    return (f"\x1b[{shown}m", f"\x1b[{sgr_off(shown)}m") if shown and sgr_off(shown) else ("", "")
