"""Displays of executions that are not trusted."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_ext.area.displays import Displays, front_end_part, needs_front_end, safe_bundle, size_of
from jupyter_ext.text import encodable_json
from pyrepl_stream import DisplayMessage

_PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(100)).decode()


def _html(html: str) -> str:
    bundle = safe_bundle({"text/html": html, "text/plain": "text"}, {})
    return bundle["html"] if bundle["kind"] == "html" else ""


# -- images ------------------------------------------------------------------------------------


def test_an_image_is_a_data_uri_with_its_size() -> None:
    data = {"image/png": _PNG[:40] + "\n" + _PNG[40:], "text/plain": "<Figure size 640x480>"}
    bundle = safe_bundle(data, {"image/png": {"width": 320, "height": 240.4}})
    assert bundle == {
        "kind": "image",
        "src": f"data:image/png;base64,{_PNG}",
        "alt": "<Figure size 640x480>",
        "width": 320,
        "height": 240,
    }


def test_svg_is_shown_as_an_image_without_scripts() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    bundle = safe_bundle({"image/svg+xml": svg}, {})
    assert bundle["kind"] == "image"
    kind, _, encoded = bundle["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(encoded).decode() == svg


@pytest.mark.parametrize("content", ["not base64!", '"><script>', "AAA", {"a": 1}, None])
def test_an_invalid_image_is_shown_as_its_text(content: object) -> None:
    assert safe_bundle({"image/png": content, "text/plain": "plot"}, {}) == {"kind": "text", "text": "plot"}


@pytest.mark.parametrize(
    "width",
    ["1 onerror=x", -1, 0, float("inf"), float("nan"), 10**9, 10**400, None, True and "9"],
    ids=lambda width: str(width)[:20],
)
def test_invalid_sizes_are_left_out(width: object) -> None:
    assert "width" not in safe_bundle({"image/png": _PNG}, {"image/png": {"width": width}})


# -- HTML --------------------------------------------------------------------------------------

_HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' java&#x0A;script:alert(1)'>x</a>",
    "<a href='http:/lab/api/x.example'>x</a>",
    "<a href='https:x.example'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<form action='https://x.example/'><input name=a><button>ok</button></form>",
    "<b style='background:url(https://x.example/)'>x</b>",
    "<b style='color:u\\72l(https://x.example/)'>x</b>",
    "<b style='width:expression(alert(1))'>x</b>",
    "<b style='position:fixed;inset:0;z-index:9'>x</b>",
    "<img src='https://x.example/track.png'>",
    "<img src='//x.example/track.png'>",
    "<img src='data:text/html,<script>alert(1)</script>'>",
    "<img srcset='https://x.example/a.png 1x' src=''>",
    "<meta http-equiv=refresh content='0;url=https://x.example/'>",
    "<link rel=stylesheet href='https://x.example/'>",
    "<style>@import 'https://x.example/'; body{display:none}</style>",
    "<base href='https://x.example/'>",
    "<object data='https://x.example/'></object><embed src='https://x.example/'>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<video src='https://x.example/' autoplay></video>",
    "<b id=jp-main class=jp-Cell data-jupyter-id=x tabindex=1 contenteditable>x</b>",
    "<button data-commandlinker-command='x'>x</button>",
    "<b style='color:var(--x);background-color:image-set(\"https://x.example/\" 1x)'>x</b>",
]


@pytest.mark.parametrize("html", _HOSTILE)
def test_nothing_of_hostile_html_runs_or_loads(html: str) -> None:
    cleaned = _html(f"<p>before</p>{html}").lower()
    assert cleaned.startswith("<p>before</p>")
    for word in (
        "script",
        "onerror",
        "onload",
        "x.example",
        "url",
        "expression",
        "data:",
        "position",
        "<form",
    ):
        assert word not in cleaned
    for word in (
        "<svg",
        "<iframe",
        "<style",
        "<meta",
        "class=",
        "id=",
        "data-",
        "<button",
        "image-set",
        "contented",
    ):
        assert word not in cleaned


def test_tables_keep_their_formatting() -> None:
    html = (
        '<table border="1" class="dataframe"><thead><tr style="text-align: right;"><th></th><th colspan="2">a</th>'
        '</tr></thead><tbody><tr><th scope="row">0</th><td style="background-color:#ff0000;color: rgb(1, 2, 3)">1</td>'
        "</tr></tbody></table>"
    )
    cleaned = _html(html)
    for part in ('border="1"', 'colspan="2"', "text-align:right", "background-color:#ff0000", "rgb(1, 2, 3)"):
        assert part in cleaned.replace("rgb(1,2,3)", "rgb(1, 2, 3)")
    assert "dataframe" not in cleaned


def test_harmless_links_and_images_in_html_stay() -> None:
    cleaned = _html(f'<a href="https://example.org/">x</a><img src="data:image/png;base64,{_PNG}" alt="p">')
    assert 'href="https://example.org/"' in cleaned
    assert 'rel="noopener noreferrer"' in cleaned
    assert f'src="data:image/png;base64,{_PNG}"' in cleaned


def test_html_without_allowed_elements_is_shown_as_its_text() -> None:
    bundle = safe_bundle({"text/html": "<script>1</script>", "text/plain": "Chart()"}, {})
    assert bundle == {"kind": "text", "text": "Chart()"}


def test_unclosed_html_is_closed_correctly() -> None:
    assert _html("<ul><li>a<li>b<ul><li>c</ul></ul>d") == (
        "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>d"
    )
    assert _html("<p>a<p>b<br>c</i>") == "<p>a</p><p>b<br>c</p>"
    assert _html("<table><tr><td>1<td>2<tr><th>3</table>").count("</tr>") == 2
    assert _html("a < b && <b>c") == "a &lt; b &amp;&amp; <b>c</b>"
    assert _html("<b title='it\"s' lang=en>x</b>") == '<b title="it&quot;s" lang="en">x</b>'
    assert _html("<B>1</B><!-- <b>2</b> --><?x i?><!DOCTYPE html>") == "<b>1</b>"


@pytest.mark.parametrize(
    "html",
    [
        "<ul><li>" * 20_000,
        "<div>" * 1_000_000,
        "<div><!--</div>-->" * 20_000,
        "<div title='</div>'>" * 20_000,
        "<p><b dir=1></p><div>" * 20_000,
        "<b>" * 17,
        "<br>" * 40_001,
        "x" * ((1 << 20) + 1),
        "&" * 200_000,
        "<" * (8 << 20),
    ],
    ids=lambda html: html[:20],
)
def test_html_that_is_slow_to_draw_is_shown_as_its_text(html: str) -> None:
    assert safe_bundle({"text/html": html, "text/plain": "text"}, {}) == {"kind": "text", "text": "text"}
    assert safe_bundle({"text/html": html}, {})["kind"] == "note"


@pytest.mark.parametrize(
    "html",
    [
        "<b " + " ".join(f"a{n}" for n in range(100_000)) + ">x</b>",
        '<a "' * 100_000,
        "<script>" * 100_000,
        "<!--" * 200_000,
        "<div>" * 250 + "</b>" * 30_000,
    ],
    ids=lambda html: html[:10],
)
def test_withheld_html_is_dropped_fast(html: str) -> None:
    assert len(safe_bundle({"text/html": html + "x", "text/plain": "text"}, {})["text"]) == 4


def test_large_tables_and_large_images_are_drawn() -> None:
    table = "<table>" + ("<tr>" + "<td>1</td>" * 18 + "</tr>\n") * 1_000 + "</table>"
    assert _html(table).count("<td>") == 18_000
    assert len(_html(f'<img src="data:image/png;base64,{"A" * (4 << 20)}">')) > 4 << 20


_pieces = st.sampled_from(
    "<p> </p> <b> </b> <b title='</b>'> <ul> <li> </ul> <table> <tr> <td> </td> </table> <!-- --> <div> </div> "
    "<script> </script> <a\thref='https://x/'> </a> <img\tsrc=x> < > & ' \" text".split(" ")
)


def test_elements_without_end_tags_end_as_in_a_parser() -> None:
    table = "<table><thead><tr><th>a<th>b<tbody><tr><td>1<td><ul><li>2<li>3</table>after"
    row = "<tr><td>1</td><td><ul><li>2</li><li>3</li></ul></td></tr>"
    whole = f"<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>{row}</tbody></table>after"
    assert _html(table) == whole
    assert _html("<table><caption>c</caption><b>x</b><tr><td>1</table>") == (
        "<table><caption>c</caption><tbody><tr><td><b>x</b></td></tr><tr><td>1</td></tr></tbody></table>"
    )
    assert _html("<pre>\n\n  x</pre>") == "<pre>\n\n  x</pre>"  # the page drops the first line feed


@given(st.lists(_pieces, max_size=40).map("".join))
@example("<a\thref='https://x/'><table><a\thref='https://x/'>")
@example("<a\thref='https://x/'><table><tr><td><a\thref='https://x/'>1</a></td><a\thref='https://x/'>2")
@example("<dd><table><dt>")
@example("<pre>\n\nx")
def test_safe_html_is_unchanged(html: str) -> None:
    cleaned = _html(html)
    assert _html(cleaned) == cleaned


# -- displays for the front end ----------------------------------------------------------------


_PLOTLY = "application/vnd.plotly.v1+json"
_VEGALITE = "application/vnd.vegalite.v5+json"
_FIGURE = {
    "data": [{"type": "scatter", "x": [1], "y": [2]}, {"type": "treemap"}, {"link": {"source": [0, 1]}}],
    "layout": {"template": {"data": {"scattergeo": [{"type": "scattergeo"}]}}, "mapbox": {"style": "light"}},
    "config": {"plotlyServerURL": "https://plot.ly"},
}
_CHART = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "data": {"values": [{"a": 1}]},
    "mark": "bar",
}


@pytest.mark.parametrize(
    ("data", "needed"),
    [
        ({"text/plain": "x"}, False),
        ({"image/png": "x", "text/latex": "x"}, False),
        ({"text/html": "x", "text/markdown": "x"}, False),
        ({"text/latex": "x"}, True),
        ({"text/markdown": "x", "text/plain": "x"}, False),
        ({_PLOTLY: _FIGURE, "text/html": "x"}, True),
        ({_VEGALITE: _CHART, "image/png": "x"}, True),
        ({"application/vnd.vega.v5+json": {"data": [{"name": "a"}, {"name": "b", "source": "a"}]}}, True),
        ({_PLOTLY: {"layout": {"images": [{"source": "data:image/png;base64,AAAA"}]}}}, True),
        ({"application/json": {}}, False),
        ({"text/javascript": "x", "text/plain": "x"}, False),
        ({"application/vnd.jupyter.widget-view+json": {}, "text/plain": "x"}, False),
    ],
)
def test_displays_for_the_front_end_are_recognized(data: dict[str, Any], needed: bool) -> None:
    assert needs_front_end(data) is needed
    assert ("[shown below]" in safe_bundle(data, {}).get("text", "")) is needed


@pytest.mark.parametrize(
    "data",
    [
        {"application/geo+json": {"type": "Point"}},  # the front end loads tiles of a map
        {"application/vnd.bokehjs_exec.v0+json": ""},
        {"application/vnd.holoviews_exec.v0+json": ""},
        {"application/vnd.whatever.v1+json": {}},
        {_VEGALITE: "https://x.example/"},
        {_VEGALITE: {**_CHART, "data": {"url": "https://x.example/"}}},
        {_VEGALITE: {**_CHART, "data": {"url": "files/private.csv"}}},
        {_VEGALITE: {"layer": [{"encoding": [{"href": {"value": "https://x.example/"}}]}]}},
        {_VEGALITE: {**_CHART, "usermeta": {"embedOptions": {"patch": "https://x.example/"}}}},
        {_VEGALITE: {**_CHART, "background": "URL(https://x.example/)"}},
        {"application/vnd.vega.v5+json": {"data": [{"name": "x", "url": {"signal": "y"}}]}},
        {_PLOTLY: {"data": [], "layout": {"images": [{"source": "https://x.example/"}]}}},
        {_PLOTLY: {"data": [{"type": "scattergeo"}]}},
        {_PLOTLY: {"data": [{"type": "choropleth"}]}},
        {_PLOTLY: {"data": [], "frames": [{"data": [{"type": "densitymapbox"}]}]}},
    ],
)
def test_displays_that_may_run_or_load_something_are_not_published(data: dict[str, Any]) -> None:
    data = {**data, "text/plain": "Chart()"}
    assert not needs_front_end(data)
    assert front_end_part(data) == {"text/plain": "Chart()"}
    assert safe_bundle(data, {}) == {"kind": "text", "text": "Chart()"}


def test_published_displays_have_no_type_that_runs_scripts() -> None:
    harmless = {_PLOTLY: _FIGURE, "image/png": "x", "text/latex": "x", "text/plain": "x"}
    others = ["text/html", "image/svg+xml", "text/markdown", "text/javascript", "application/javascript"]
    assert front_end_part({**harmless, **dict.fromkeys(others, "x")}) == harmless


def test_markdown_is_shown_as_its_source() -> None:
    data = {"text/markdown": "# a *title*", "text/plain": "<IPython.core.display.Markdown object>"}
    assert safe_bundle(data, {}) == {"kind": "text", "text": "# a *title*"}


def test_only_widgets_of_this_kernel_are_drawn() -> None:
    data = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "IntSlider()"}
    assert needs_front_end(data, widgets=True)
    assert safe_bundle(data, {}) == {"kind": "text", "text": "IntSlider()"}


def test_javascript_is_neither_run_nor_shown() -> None:
    bundle = safe_bundle({"text/javascript": "alert(1)", "application/javascript": "alert(1)"}, {})
    assert bundle["kind"] == "note"
    assert "alert" not in json.dumps(bundle)


# -- limits ------------------------------------------------------------------------------------


def test_a_display_that_is_too_large_is_a_note() -> None:
    assert safe_bundle({"image/png": "A" * (9 << 20)}, {})["kind"] == "note"
    assert safe_bundle({"text/html": "<b>x</b>" * (2 << 20)}, {})["kind"] == "note"


def test_long_text_is_cut() -> None:
    assert size_of(safe_bundle({"text/plain": "x" * 10**6}, {})) < 200_000


def test_the_oldest_displays_become_notes_when_there_are_too_many_bytes() -> None:
    displays = Displays()
    plot = "A" * (7 << 20)
    for row in range(12):
        name, known = displays.put(DisplayMessage(data={"image/png": plot}))
        displays.placed(name, row, 0)
        assert not known
    kinds = [displays[name]["kind"] for name in displays]
    assert kinds == ["note"] * 3 + ["image"] * 9
    assert sum(map(size_of, displays.values())) <= 64 << 20
    assert set(displays.changed) == set(displays)


def test_display_ids_of_two_sources_are_distinct_and_not_exposed() -> None:
    displays = Displays()
    names = [
        displays.put(DisplayMessage(data={"text/plain": "x"}, display_id='"><script>', source=source))
        for source in ("a", "b", "a")
    ]
    assert names == [("d1", False), ("d2", False), ("d1", True)]


def test_values_outside_json_become_null_or_a_question_mark() -> None:
    value = {"a\ud800": [1.5, float("nan"), float("inf"), ("b\udfff", True)]}
    assert encodable_json(value) == {"a?": [1.5, None, None, ["b?", True]]}
