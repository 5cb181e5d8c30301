"""Targets: addresses of sessions, and the links that lead to them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .client import Link, RemoteSession
from .runtime.errors import UsageError
from .runtime.validation import short_repr, suggest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

__all__ = ("Address", "connect", "target_schemes")

_GROUP = "pyrepl_stream.targets"
_BUILT_IN = {"local": "pyrepl_stream.links.local:LocalLink"}
_OURS = ("patience", "report")


@dataclass(frozen=True)
class Address:
    """An address ``scheme:rest``."""

    scheme: str
    rest: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Split ``text``. Raises :class:`UsageError` if it is not an address."""
        if not isinstance(text, str):
            raise UsageError(f"an address must be text such as 'local:', not {short_repr(text)}")
        match = re.fullmatch(r"([a-z][a-z0-9+.-]*):(.*)", text, re.DOTALL)
        if match is None:
            raise UsageError(f"{text!r} is not an address: begin with a scheme, as in 'local:'")
        return cls(match[1], match[2])


def target_schemes() -> tuple[str, ...]:
    """Return the known schemes. Packages add schemes with entry points in ``pyrepl_stream.targets``."""
    return tuple(sorted({*_BUILT_IN, *(point.name for point in _registered())}))


def _registered() -> EntryPoints:
    """Return the schemes of other packages."""
    from importlib.metadata import entry_points  # slow to import, and rarely needed

    return entry_points(group=_GROUP)


def connect(address: str, **options: Any) -> RemoteSession:
    """Return the session at an address. It connects when it is entered or first used.

    Args:
        address: ``scheme:rest``, such as ``local:`` or ``local:NAME``.
        **options: ``patience`` and ``report`` of :class:`RemoteSession`, and the options of the scheme: for
            ``local:``, the options of :class:`pyrepl_stream.links.local.LocalLink`.

    Returns:
        The session. Enter it with ``async with`` or ``with``.

    Raises:
        UsageError: The address or an option is not valid.
    """
    parsed = Address.parse(address)
    ours = {name: options.pop(name) for name in _OURS if name in options}
    factory = _factory(parsed.scheme)
    _check_options(parsed.scheme, factory, options)
    link: Link = factory(parsed.rest, **options)
    return RemoteSession(link, address=address, **ours)


def _factory(scheme: str) -> Callable[..., Link]:
    if scheme in _BUILT_IN:
        module, _, name = _BUILT_IN[scheme].partition(":")
        factory: Callable[..., Link] = getattr(import_module(module), name)
        return factory
    for point in _registered().select(name=scheme):
        factory = point.load()
        return factory
    way_out = suggest(f"{scheme}:", [f"{known}:" for known in target_schemes()])
    raise UsageError(f"{scheme!r} is not a known scheme of addresses; {way_out}")


def _check_options(scheme: str, factory: Callable[..., Link], options: dict[str, Any]) -> None:
    parameters = inspect.signature(factory).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise UsageError(f"{scheme}: has no option {name!r}; {suggest(name, [*known, *_OURS])}")
