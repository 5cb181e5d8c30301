"""The live area as a widget: the traits that pages show, and the messages between kernel and pages.

The kernel sends ``rows`` and ``display`` (``id``, ``bundle``) to all pages, each with ``seq``: see
:class:`Sender`. A page names itself in ``view``, and the kernel's answer names that page in ``to``. A page
sends these messages, listed with their answers:

``hello``, when the page shows a view and when it has missed a message
    all ``rows``, the last message with ``done``, and the displays that have changed
``rows`` (``first``, ``end``), ``displays`` (``ids``)
    ``rows`` and ``display``
``search`` (``search``, ``text``)
    ``found`` (``search``, ``done``, ``count``, ``searched``, ``lines`` as ``[number, text]``)
``log`` (``log``, ``part``)
    ``log`` (``log``, ``part``, ``done``, ``name``) with the bytes as a buffer
``input`` (``request``, ``text``: null is the end of input)
    ``answered`` (``request``, ``ok``, ``text``: the reason if not)
``ping``, when the page has received nothing for a long time
    ``pong``
``interrupt``, ``kill``
    nothing
``busy``, at most every 3 s while the reader is busy: scrolled up, selecting, searching
    nothing. At the end of the run, the record replaces the area once no such message has arrived for 8 s, or
    after 60 s. While a page requests parts of a log, the replacement waits for up to 10 minutes

A ``note`` (``text``) from the kernel is shown for a few seconds.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from .module import STATIC, module

_log = logging.getLogger(__name__)


class LiveArea(anywidget.AnyWidget):
    """The model of an area. Its traits are for pages that open later, its messages for open pages.

    Methods may be called from any thread. They do not raise if the kernel shuts down or no page is open.

    Traits: ``status``, ``bars`` and ``question`` as in :class:`AreaState`, ``tail`` (a ``rows`` message), and
    ``options`` with ``height`` in rows, ``wrap``, and ``id``, by which the page finds the model and any
    later model that replaces it. Set a trait to a new value; do not change the value in place.

    Args:
        model_id: Id of the comm. Saved areas work again when another kernel opens a model with the same id.
            A second model with this id in one kernel would replace the first, so share the first one instead.
        **traits: Initial values.
    """

    _esm = module()
    _css = (STATIC / "area.css").read_text(encoding="utf-8")

    status = traitlets.Dict().tag(sync=True)
    bars: traitlets.List[Any] = traitlets.List().tag(sync=True)
    tail = traitlets.Dict().tag(sync=True)
    question = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    options = traitlets.Dict().tag(sync=True)

    def __init__(self, model_id: str, **traits: object) -> None:
        self._sending = threading.RLock()  # sends one message or update at a time, in the order of the calls
        super().__init__(model_id=model_id, **traits)

    def send_message(self, content: Mapping[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Send a message to all pages that show the area."""
        with self._sent_in_order():
            self.send(dict(content), list(buffers))

    def update(self, **traits: object) -> None:
        """Set traits. Those that change are sent in one message."""
        with self._sent_in_order(), self.hold_sync():
            for name, value in traits.items():
                setattr(self, name, value)

    @contextlib.contextmanager
    def _sent_in_order(self) -> Iterator[None]:
        with self._sending:
            try:
                yield
            except traitlets.TraitError:
                raise
            except Exception:  # from ZeroMQ, ipykernel or asyncio while the kernel shuts down
                _log.debug("could not send a message of the live area", exc_info=True)
