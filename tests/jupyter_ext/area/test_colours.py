from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.area.colours import Rgb, contrast, css_of

_PAGES: list[tuple[Rgb, Rgb]] = [
    ((33, 33, 33), (255, 255, 255)),
    ((0, 0, 0), (255, 255, 255)),
    ((255, 255, 255), (17, 17, 17)),
    ((255, 255, 255), (0, 0, 0)),
]
_words = st.builds(
    " ".join,
    st.lists(
        st.sampled_from(["b", "d", "i", "u", "s", "v", "e"])
        | st.integers(0, 15).map("f{}".format)
        | st.integers(0, 15).map("g{}".format)
        | st.integers(0, 0xFFFFFF).map("f#{:06x}".format)
        | st.integers(0, 0xFFFFFF).map("g#{:06x}".format),
        max_size=5,
    ),
)


def _rgb(text: str) -> Rgb:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _shown(css: str, text: Rgb, page: Rgb) -> tuple[Rgb, Rgb]:
    """Return the colours of text and background on a page, in a browser with `color-mix`."""
    ground = re.search(r"background-color:(#\w+)", css)
    mixed = re.search(r"color-mix\(in srgb,(#\w+) (\d+)%,currentColor\)", css)
    plain = re.search(r"(?:^|;)color:(#\w+)", css)
    if mixed is not None:
        share = int(mixed[2]) / 100
        red, green, blue = (
            round(a * share + b * (1 - share)) for a, b in zip(_rgb(mixed[1]), text, strict=True)
        )
        return (red, green, blue), page
    if plain is not None and ground is not None:
        return _rgb(plain[1]), _rgb(ground[1])
    return text, page


@pytest.mark.parametrize(("text", "page"), _PAGES)
@given(words=_words)
@settings(deadline=None)
def test_every_style_is_legible_on_light_and_on_dark(text: Rgb, page: Rgb, words: str) -> None:
    assert contrast(*_shown(css_of(words), text, page)) >= 4.5


@given(words=_words)
@settings(deadline=None)
def test_without_color_mix_a_medium_colour_is_used(words: str) -> None:
    plain = re.search(r"color:(#\w+);color:color-mix", css_of(words))
    if plain is not None:
        assert min(contrast(_rgb(plain[1]), page) for page in ((255, 255, 255), (0, 0, 0))) >= 4.0


def test_text_with_its_own_background_keeps_its_colour_if_legible() -> None:
    assert css_of("f#ffff00 g#000080") == "color:#ffff00;background-color:#000080"
    assert css_of("f#ffff00 g#ffffff") == "color:#000000;background-color:#ffffff"
    assert css_of("v") == "color:#ffffff;background-color:#444444"
