"""Colours of terminal text that are legible on light and on dark pages, without a stylesheet."""

from __future__ import annotations

from functools import lru_cache

Rgb = tuple[int, int, int]

_BASIC: tuple[Rgb, ...] = (  # the 16 colours of xterm, with a lighter blue
    *((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (60, 100, 238), (205, 0, 205), (0, 205, 205)),
    *((229, 229, 229), (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255)),
    *((255, 0, 255), (0, 255, 255), (255, 255, 255)),
)
_STDERR = "#d03030"
_LEGIBLE = 4.5  # minimum contrast (WCAG 2, 1.4.3)
# Text and background colours of JupyterLab's themes. Lighter or darker pages have more contrast.
_LIGHT: tuple[Rgb, Rgb] = ((33, 33, 33), (255, 255, 255))
_DARK: tuple[Rgb, Rgb] = ((255, 255, 255), (17, 17, 17))


def contrast(one: Rgb, other: Rgb) -> float:
    """Return the contrast ratio of two colours as defined by WCAG 2, from 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@lru_cache(maxsize=4096)
def css_of(words: str) -> str:
    """Return CSS declarations for the words of a row's style, except bold and the like, which become tags.

    A text colour without a background is mixed with the text colour of the page until it is legible on light
    and on dark pages. Browsers without ``color-mix`` get a colour of medium luminance.

    Args:
        words: Words of a style, such as ``b f1``.
    """
    flags = words.split()
    colours = {word[0]: word[1:] for word in flags if len(word) > 1}
    text, background = colours.get("f", ""), colours.get("g", "")
    if "v" in flags:
        text, background = background or "#ffffff", text or "#444444"
    if background:
        return _on_background(_rgb(background), _rgb(text) if text else None)
    if text or "e" in flags:
        return _mixed(_rgb(text or _STDERR))
    return "opacity:.8" if "d" in flags else ""


def _on_background(background: Rgb, text: Rgb | None) -> str:
    if text is None or contrast(text, background) < _LEGIBLE:
        text = max((0, 0, 0), (255, 255, 255), key=lambda plain: contrast(plain, background))
    return f"color:{_hex(text)};background-color:{_hex(background)}"


def _mixed(colour: Rgb) -> str:
    for share in range(100, 0, -5):
        if all(contrast(_mix(colour, text, share), page) >= _LEGIBLE for text, page in (_LIGHT, _DARK)):
            break
    between = _between(colour)
    return f"color:{_hex(between)};color:color-mix(in srgb,{_hex(colour)} {share}%,currentColor)"


def _between(colour: Rgb) -> Rgb:
    """Return a shade of the colour that has about equal contrast on white and on black."""
    black, white = (0, 0, 0), (255, 255, 255)
    shades = [_mix(colour, end, share) for end in (black, white) for share in range(0, 101, 5)]
    return min(shades, key=lambda shade: abs(contrast(shade, white) - contrast(shade, black)))


def _mix(colour: Rgb, other: Rgb, share: int) -> Rgb:
    red, green, blue = (
        round((a * share + b * (100 - share)) / 100) for a, b in zip(colour, other, strict=True)
    )
    return red, green, blue


def _luminance(colour: Rgb) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(colour: str) -> Rgb:
    if colour.startswith("#"):
        return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
    return _BASIC[int(colour)]


def _hex(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
