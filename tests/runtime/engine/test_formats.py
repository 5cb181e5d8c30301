"""Values as MIME bundles, with IPython and without."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyrepl_stream import DisplayMessage, ResultMessage, RichValue, Session
from pyrepl_stream.runtime.engine.formats import mime_bundle


class Rich:
    def __repr__(self) -> str:
        return "plain"

    def _repr_html_(self) -> str:
        return "<b>html</b>"

    def _repr_png_(self) -> bytes:
        return b"\x89PNG"

    def _repr_json_(self) -> tuple[dict[str, int], dict[str, bool]]:
        return {"a": 1}, {"expanded": True}

    def _repr_latex_(self) -> None:
        return None

    def _repr_svg_(self) -> str:
        raise RuntimeError("broken")


class Bundle:
    def __repr__(self) -> str:
        return "plain"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        return {"text/html": "<i>bundle</i>"}

    def _repr_html_(self) -> str:
        return "not asked"


def test_text_is_always_there() -> None:
    assert mime_bundle(5) == ({"text/plain": "5"}, {})


def test_rich_forms_come_from_the_repr_methods() -> None:
    data, metadata = mime_bundle(Rich())
    assert data == {
        "text/plain": "plain",
        "text/html": "<b>html</b>",
        "image/png": base64.b64encode(b"\x89PNG").decode(),
        "application/json": {"a": 1},
    }
    assert metadata == {"application/json": {"expanded": True}}


def test_a_mime_bundle_takes_precedence_over_single_forms() -> None:
    assert mime_bundle(Bundle())[0] == {"text/plain": "plain", "text/html": "<i>bundle</i>"}


def test_display_methods_are_not_called_on_a_class() -> None:
    assert list(mime_bundle(Rich)[0]) == ["text/plain"]


def test_an_object_with_every_attribute_is_shown_as_text() -> None:
    class Mock:
        def __getattr__(self, name: str) -> object:
            return lambda *args, **kwargs: self

        def __repr__(self) -> str:
            return "mock"

    assert mime_bundle(Mock())[0]["text/plain"] == "mock"


def test_a_result_message_has_all_forms(session: Session) -> None:
    session.namespace["Rich"] = Rich
    outcome = session.execute("Rich()").wait(60)
    assert isinstance(outcome.result, RichValue)
    assert outcome.result == "plain"
    assert outcome.result["text/html"] == "<b>html</b>"
    assert outcome.result.metadata == {"application/json": {"expanded": True}}
    (message,) = [m for m in session.execute("Rich()") if isinstance(m, ResultMessage)]
    assert message.data["text/html"] == "<b>html</b>"


def test_display_shows_values_in_their_place(session: Session) -> None:
    session.namespace["Rich"] = Rich
    execution = session.execute("print('a')\ndisplay(Rich())\ndisplay(1, 2)\nprint('b')")
    outcome = execution.wait(60)
    assert outcome.error is None
    assert [message.data["text/plain"] for message in outcome.displays] == ["plain", "1", "2"]
    assert outcome.displays[0].data["text/html"] == "<b>html</b>"
    kinds = [type(message).__name__ for message in execution]
    assert kinds.index("DisplayMessage") > kinds.index("OutputMessage")
    assert kinds[-2] == "OutputMessage"


def test_display_in_a_thread_belongs_to_its_execution(session: Session) -> None:
    outcome = session.execute(
        "import threading\nt = threading.Thread(target=display, args=(5,)); t.start(); t.join()"
    ).wait(60)
    assert [message.data for message in outcome.displays] == [{"text/plain": "5"}]


def test_a_display_can_be_updated(session: Session) -> None:
    outcome = session.execute("display(1, display_id='bar')\ndisplay(2, display_id='bar', update=True)").wait(
        60
    )
    assert outcome.error is None
    assert [(m.data["text/plain"], m.display_id, m.update) for m in outcome.displays] == [
        ("1", "bar", False),
        ("2", "bar", True),
    ]
    assert all(isinstance(message, DisplayMessage) for message in outcome.displays)


@pytest.mark.parametrize("created", [True, False])
def test_ipython_formatters_are_used_when_ipython_runs(
    run_python: Callable[..., object], tmp_path: Path, created: bool
) -> None:
    pytest.importorskip("IPython")
    program = f"""
from IPython.core.interactiveshell import InteractiveShell
if {created}:
    shell = InteractiveShell.instance()
    shell.display_formatter.formatters["text/html"].for_type(complex, lambda value: "registered")
from pyrepl_stream import Session
with Session() as session:
    print(dict(session.execute("1j").wait(30).result.data))
"""
    expected = {"text/plain": "1j", "text/html": "registered"} if created else {"text/plain": "1j"}
    process = run_python(program, env={"IPYTHONDIR": str(tmp_path)})
    assert process.stdout.splitlines()[-1] == repr(expected), process.stderr
