"""YAML documents in output become events."""

from __future__ import annotations

from ..errors import UsageError
from .documents import DocumentProcessor
from .yaml_documents import YamlDocuments
from .yaml_loading import LARGEST

__all__ = ("YamlStream",)


class YamlStream(DocumentProcessor[YamlDocuments]):
    """Turns each YAML document that is a mapping or a sequence into an `event`; all else passes as it came.

    A document begins with a line ``---`` and ends before the next one, with a line ``...`` or at the end
    of the output. Its event stands for all of these lines. Text before the first ``---`` passes; with
    ``implicit``, as for tools that print bare documents, a document also begins at the first line of the
    output, or after ``...``, that can begin a mapping or a sequence.

    The event's name is the mapping's text field ``kind``, ``type`` or ``event``, else ``name``. It has the
    sequence number, the timestamp and the source of the output that completed the document.

    A document is held back until it is complete. It is let go at the first line that shows that it is
    none: prose, or a line that is indented less than its first one. Scalars, errors, unknown tags,
    references of a node to itself, collections as keys, more than 200 levels or 100,000 nodes (aliases
    counted by what they stand for) and documents of more than ``max_document_bytes`` pass as text.

    Data is as JSON has it: keys are text as written, dates are ISO 8601 text, binary is base64, sets are
    lists; scalars that cannot be had otherwise, as ``.nan``, are text as written.
    """

    _name_keys = ("kind", "type", "event")

    def __init__(
        self, *, implicit: bool = False, max_document_bytes: int = LARGEST, name: str = "yaml"
    ) -> None:
        super().__init__(name)
        if max_document_bytes < 1:
            raise UsageError(f"max_document_bytes is {max_document_bytes}, but must be at least 1")
        self._implicit = implicit
        self._limit = max_document_bytes

    def for_reader(self) -> YamlStream:
        return YamlStream(implicit=self._implicit, max_document_bytes=self._limit, name=self._name)

    def _new_state(self) -> YamlDocuments:
        return YamlDocuments(self._limit, self._implicit)
