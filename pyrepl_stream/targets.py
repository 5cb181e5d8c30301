"""Addresses, and the sessions they lead to."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from .client import Link, RemoteSession
from .errors import UsageError

__all__ = ("Address", "connect", "target_schemes")

_GROUP = "pyrepl_stream.targets"
_BUILT_IN = {"local": "pyrepl_stream.links.local:LocalLink"}
_OURS = ("patience",)


@dataclass(frozen=True)
class Address:
    """``scheme:rest``."""

    scheme: str
    rest: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises :class:`UsageError` for what is no address."""
        if not isinstance(text, str):
            raise UsageError(f"an address is text such as 'local:', not {text!r}")
        match = re.fullmatch(r"([a-z][a-z0-9+.-]*):(.*)", text, re.DOTALL)
        if match is None:
            raise UsageError(f"{text!r} is no address: it begins with a scheme, as `local:` does")
        return cls(match[1], match[2])


def target_schemes() -> tuple[str, ...]:
    """The schemes of addresses; new ones register by the entry point ``pyrepl_stream.targets``."""
    return tuple(sorted({*_BUILT_IN, *(point.name for point in entry_points(group=_GROUP))}))


def connect(address: str, **options: Any) -> RemoteSession:
    """The session that ``address`` leads to; it connects when it is entered or first used.

    ``options`` are those of the scheme (see the class that its entry point names, as
    ``pyrepl_stream.links.local.LocalLink``), and ``patience``: how many seconds a session that was
    reached is sought when it is gone. Raises :class:`UsageError` for an address or an option that is
    none.
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
    for point in entry_points(group=_GROUP, name=scheme):
        factory = point.load()
        return factory
    known = target_schemes()
    near = get_close_matches(scheme, known, 1) or list(known)
    hint = "did you mean" if get_close_matches(scheme, known, 1) else "there is"
    raise UsageError(f"nothing is known of {scheme}: addresses; {hint} {', '.join(f'{n}:' for n in near)}")


def _check_options(scheme: str, factory: Callable[..., Link], options: dict[str, Any]) -> None:
    parameters = inspect.signature(factory).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    for name in options:
        if name not in known:
            near = get_close_matches(name, [*known, *_OURS], 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join([*known, *_OURS])}"
            raise UsageError(f"{scheme}: has no option {name!r}; {hint}")
