"""Colours of the far side's text that can be read on light pages and on dark ones, without a stylesheet."""

from __future__ import annotations

from functools import lru_cache

__all__ = ("Rgb", "contrast", "css_of")

Rgb = tuple[int, int, int]

_BASIC: tuple[Rgb, ...] = (  # the 16, as xterm has them, but for a blue that can be seen
    *((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (60, 100, 238), (205, 0, 205), (0, 205, 205)),
    *((229, 229, 229), (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255)),
    *((255, 0, 255), (0, 255, 255), (255, 255, 255)),
)
_STDERR = "#d03030"
_LEGIBLE = 4.5  # WCAG 2, 1.4.3
# Text and ground of JupyterLab's themes; pages that are lighter or darker have more contrast.
_LIGHT: tuple[Rgb, Rgb] = ((33, 33, 33), (255, 255, 255))
_DARK: tuple[Rgb, Rgb] = ((255, 255, 255), (17, 17, 17))


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of WCAG 2, 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@lru_cache(maxsize=4096)
def css_of(words: str) -> str:
    """Declarations for the words of a row's style; tags say what is bold and so on.

    A colour without a ground of its own is mixed with that of the page's text, as much as it takes to be
    legible on light and dark. Where that mixing is unknown, a colour between the two is left.
    """
    text = ground = ""
    flags = set()
    for word in words.split():
        if word[0] == "f" and len(word) > 1:
            text = word[1:]
        elif word[0] == "g" and len(word) > 1:
            ground = word[1:]
        else:
            flags.add(word)
    if "v" in flags:
        text, ground = ground or "#ffffff", text or "#444444"
    if ground:
        return _on_ground(_rgb(ground), _rgb(text) if text else None)
    if text or "e" in flags:
        return _mixed(_rgb(text or _STDERR))
    return "opacity:.8" if "d" in flags else ""


def _on_ground(ground: Rgb, text: Rgb | None) -> str:
    if text is None or contrast(text, ground) < _LEGIBLE:
        text = max((0, 0, 0), (255, 255, 255), key=lambda plain: contrast(plain, ground))
    return f"color:{_hex(text)};background-color:{_hex(ground)}"


def _mixed(colour: Rgb) -> str:
    for share in range(100, 0, -5):
        if all(contrast(_mix(colour, text, share), page) >= _LEGIBLE for text, page in (_LIGHT, _DARK)):
            break
    between = _between(colour)
    return f"color:{_hex(between)};color:color-mix(in srgb,{_hex(colour)} {share}%,currentColor)"


def _between(colour: Rgb) -> Rgb:
    """Of the same hue, as near as can be to equal contrast on white and on black."""
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
