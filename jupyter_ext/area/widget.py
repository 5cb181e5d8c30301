"""The live area as a widget: what the page shows of an execution, and what the page asks.

The kernel tells all pages ``rows`` and ``display`` (``id``, ``bundle``), each with ``seq``: see
:class:`Sender`. It answers the ``view`` that asked (``to``):

``hello``, once it shows a view, and when a message is missing
    by all ``rows``, the last with ``done``, and by displays that have changed
``rows`` (``first``, ``end``), ``displays`` (``ids``)
    by ``rows`` and ``display``
``search`` (``search``, ``text``)
    by ``found`` (``search``, ``done``, ``count``, ``searched``, ``lines`` as ``[number, text]``)
``log`` (``log``, ``part``)
    by ``log`` (``log``, ``part``, ``done``, ``name``) with the bytes as a buffer
``input`` (``request``, ``text``: null is the end of input)
    by ``answered`` (``request``, ``ok``, ``text``: why not)
``ping``, where nothing was heard of the kernel for long
    by ``pong``
``interrupt``, ``kill``
    not at all
``busy``, every 3 s at most while the reader is in the middle of something: scrolled up, selecting, searching
    not at all; at the end of the run, the record takes the place of the area only when none came for 8 s, or
    60 s later. While parts of a log are asked for it waits up to 10 minutes

A ``note`` (``text``) is shown for some seconds.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from .module import STATIC, module

__all__ = ("LiveArea", "PageMessage")

PageMessage = Callable[[Mapping[str, Any], Sequence[memoryview]], object]

_log = logging.getLogger(__name__)


class LiveArea(anywidget.AnyWidget):
    """Traits are what a page that comes later is to find; messages are what pages that are there get.

    ``model_id`` is the id of its comm: the same id in another kernel brings saved areas to life. A new
    area with the id of one that is open takes its place, so the caller has to share the first one.
    Methods may be called by any thread; none raises because no kernel or no page is there any more.

    Traits: ``status``, ``bars`` and ``question`` as :class:`AreaState` has them, ``tail`` a ``rows``
    message, ``options`` with ``height`` in rows, ``wrap``, and ``id``, by which the page finds its model and
    one that takes its place. A trait is replaced, never changed in place.
    """

    _esm = module()
    _css = (STATIC / "area.css").read_text(encoding="utf-8")

    status = traitlets.Dict().tag(sync=True)
    bars: traitlets.List[Any] = traitlets.List().tag(sync=True)
    tail = traitlets.Dict().tag(sync=True)
    question = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    options = traitlets.Dict().tag(sync=True)

    def __init__(self, model_id: str | None = None, **traits: object) -> None:
        self._sending = threading.RLock()  # one message or update at a time, in the order of the calls
        super().__init__(**traits if model_id is None else {"model_id": model_id, **traits})

    def tell(self, content: Mapping[str, Any], buffers: Sequence[bytes] | None = None) -> None:
        """Send a message to all pages that show the area."""
        with self._sending:
            self._try(lambda: self.send(dict(content), None if buffers is None else list(buffers)))

    def update(self, **traits: object) -> None:
        """Set traits, those that differ in one message."""
        with self._sending:
            self._try(lambda: self._set(traits))

    def on_page_message(self, callback: PageMessage) -> None:
        """Call ``callback(content, buffers)`` for each message of a page, in the thread that receives it."""

        def heard(_widget: object, content: object, buffers: Sequence[memoryview]) -> None:
            if isinstance(content, dict):
                callback(content, buffers)

        self.on_msg(heard)

    def _set(self, traits: Mapping[str, object]) -> None:
        with self.hold_sync():
            for name, value in traits.items():
                setattr(self, name, value)

    def _try(self, send: Callable[[], object]) -> None:
        try:
            send()
        except traitlets.TraitError:
            raise
        except Exception:  # of ZeroMQ, ipykernel or asyncio, as far as the kernel's end has come
            _log.debug("The live area could not be sent", exc_info=True)
