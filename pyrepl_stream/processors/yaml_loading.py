"""Safe loading of one YAML document, as data that JSON can hold."""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

_DEEPEST = 200  # maximum levels
_MOST_NODES = 100_000  # an alias counts as the nodes that it refers to
_LONGEST_NUMBER = 4300  # characters; longer sexagesimal numbers would take quadratic time
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
LARGEST = 1 << 20 if hasattr(yaml, "CSafeLoader") else 1 << 15
"""Default limit for a document in bytes. Loading takes up to a second; Python's parser is 30 times slower."""


def load(text: str) -> dict[str, Any] | list[Any] | None:
    """Return the data of a document; None if ``text`` is not YAML, or neither a mapping nor a sequence."""
    try:
        _check_size(yaml.parse(text, Loader=_LOADER))
        data = _plain(yaml.compose(text, Loader=_LOADER), 1)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return data if isinstance(data, (dict, list)) else None


def _check_size(events: Iterator[Any]) -> None:
    """Raise ValueError for a document that is too large or too deep, before it is composed."""
    sizes: dict[str, int] = {}  # by anchor: the sizes of complete nodes
    begun: list[tuple[str, int]] = []  # open collections: the anchor, and the number of nodes before it
    nodes = 0
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = begun.pop()
            sizes[anchor] = nodes - before
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError("an alias of an unknown node, or of one that contains it")
            nodes += sizes[event.anchor]
        elif isinstance(event, yaml.NodeEvent):
            sizes.pop(event.anchor or "", None)
            nodes += 1
            if isinstance(event, yaml.CollectionStartEvent):
                begun.append((event.anchor or "", nodes - 1))
            elif event.anchor:
                sizes[event.anchor] = 1
        if nodes > _MOST_NODES or len(begun) > _DEEPEST:
            raise ValueError("too many nodes, or levels")


def _plain(node: yaml.Node | None, level: int) -> Any:
    """Return the node as data that JSON can hold. Raises ValueError or YAMLError if it is not such data."""
    if level > _DEEPEST and not isinstance(node, yaml.ScalarNode):
        raise ValueError("too many levels")  # including levels that aliases add
    kind = node.tag.removeprefix(_YAML) if node is not None else ""
    if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
        return _scalar(node, kind)
    if isinstance(node, yaml.SequenceNode) and kind in ("seq", "omap", "pairs"):
        return [_plain(item, level + 1) for item in node.value]
    if isinstance(node, yaml.MappingNode) and kind == "set":
        return [_plain(key, level + 1) for key, _ in node.value]
    if isinstance(node, yaml.MappingNode) and kind == "map":
        _MAKER.flatten_mapping(node)  # merge keys: `<<`
        return {_key(key): _plain(value, level + 1) for key, value in node.value}
    raise ValueError("not plain data")


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag.removeprefix(_YAML) not in _SCALARS:
        raise ValueError("a collection as a key")
    return str(node.value)  # as written: `on` and `1.10` are keys in many files


def _scalar(node: yaml.ScalarNode, kind: str) -> Any:
    written = str(node.value)
    if kind in ("int", "float") and len(written) > _LONGEST_NUMBER:
        return written
    try:
        value = _SCALARS[kind](node)
    except (yaml.YAMLError, ValueError, LookupError, ArithmeticError):
        return written  # such as `2001-99-99`
    if isinstance(value, float):
        return value if math.isfinite(value) else written
    if isinstance(value, datetime.date):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


_YAML = "tag:yaml.org,2002:"
_MAKER = SafeConstructor()
_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("str", "merge", "value"), lambda node: node.value),
    "null": _MAKER.construct_yaml_null,
    "bool": _MAKER.construct_yaml_bool,
    "int": _MAKER.construct_yaml_int,
    "float": _MAKER.construct_yaml_float,
    "timestamp": _MAKER.construct_yaml_timestamp,
    "binary": _MAKER.construct_yaml_binary,
}
