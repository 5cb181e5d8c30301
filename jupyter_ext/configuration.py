"""``%config RemoteStream``: how output is shown, for this kernel."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Float, Int, List, TraitType, Unicode
from traitlets.config import Configurable

from pyrepl_stream import Settings, load_settings

from .arguments import Arguments

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("RemoteStream",)


def _trait(default: Any, meaning: str) -> TraitType[Any, Any]:
    """A trait for values like ``default``; None is what is not set here."""
    how: dict[str, Any] = {"default_value": None, "allow_none": True, "help": meaning}
    if isinstance(default, tuple):
        trait: TraitType[Any, Any] = List(Unicode(), **how)
    else:
        kinds = {bool: Bool, int: Int, float: Float, str: Unicode}
        trait = kinds[type(default)](**how)
    return trait.tag(config=True)


class RemoteStream(Configurable):
    """How the output of ``%%remote_stream`` is shown. What is None is as ``config.toml`` has it."""

    locals().update(  # traits are found in the class body
        {setting.name: _trait(setting.default, setting.metadata["help"]) for setting in fields(Settings)}
    )

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(config=shell.config)

    def settings(self, arguments: Arguments) -> Settings:
        """Those of a cell: its options, then what is set here, then the user's file.

        Raises :class:`pyrepl_stream.UsageError`.
        """
        here: dict[str, Any] = {
            setting.name: tuple(value) if isinstance(value, list) else value
            for setting in fields(Settings)
            if (value := getattr(self, setting.name)) is not None
        }
        return replace(load_settings(), **here).with_options(
            filter=arguments.filter,
            exclude=arguments.exclude,
            prefix=arguments.prefix,
            color=arguments.color,
            format=arguments.format,
            progress=arguments.progress,
        )
