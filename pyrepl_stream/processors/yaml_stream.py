"""Events from YAML documents in output."""

from __future__ import annotations

from ..runtime.validation import check_at_least_one
from .document_events import DocumentProcessor
from .yaml_documents import YamlDocuments
from .yaml_loading import LARGEST

__all__ = ("YamlStream",)


class YamlStream(DocumentProcessor):
    """Emits an `event` for each YAML document that is a mapping or a sequence; other text passes unchanged.

    A document begins with a line ``---``. It ends before the next such line, with a line ``...``, or at the
    end of the output. Its event replaces all of its lines. Text before the first ``---`` passes.

    The event's name is the text of the mapping's field ``kind``, ``type`` or ``event``, or else the argument
    ``name``. The event has the sequence number, the timestamp and the source of the output that completed
    the document.

    A document is held until it is complete. It passes as text as soon as a line shows that it is not YAML:
    prose, or a line that is indented less than the first one. A document also passes as text if it is a
    scalar, if it contains errors, unknown tags, nodes that contain themselves or collections as keys, and if
    it has more than 200 levels or 100,000 nodes (an alias counts as the nodes that it refers to).

    Data is limited to the types of JSON: keys are text as written, dates are ISO 8601 text, binary data is
    base64, sets are lists, and scalars that JSON does not have, such as ``.nan``, are text as written.

    Args:
        implicit: Also begin a document without ``---``, at the first line of the output, or after ``...``,
            that can begin a mapping or a sequence. Some tools print such documents.
        max_document_bytes: Maximum size of a document in bytes of UTF-8 (default: 1 MiB, or 32 KiB without
            libyaml, whose parser is 30 times faster). Larger ones pass as text.
        name: Name of events whose data does not contain a name.

    Raises:
        UsageError: ``max_document_bytes`` is below 1.
    """

    _name_keys = ("kind", "type", "event")

    def __init__(
        self, *, implicit: bool = False, max_document_bytes: int = LARGEST, name: str = "yaml"
    ) -> None:
        super().__init__(name)
        check_at_least_one(max_document_bytes=max_document_bytes)
        self._implicit = implicit
        self._limit = max_document_bytes

    def _new_state(self) -> YamlDocuments:
        return YamlDocuments(self._limit, self._implicit)
