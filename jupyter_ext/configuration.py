"""``%config RemoteStream``: how output is shown, for this kernel."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Protocol

from traitlets import Bool, Enum, Float, Int, List, TraitType, Unicode
from traitlets.config import Configurable

from pyrepl_stream import Settings, load_settings

from .arguments import Arguments
from .look import DISPLAYS, Look

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("LookOptions", "RemoteStream")


class LookOptions(Protocol):
    """The options of :func:`add_look_options`."""

    @property
    def plain(self) -> bool: ...

    @property
    def height(self) -> int | None: ...

    @property
    def wrap(self) -> bool: ...

    @property
    def no_progress(self) -> bool: ...


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

    display = Enum(
        DISPLAYS,
        "auto",
        help="`widget` (a live area), `html`, `plain`, or `auto`: what the front end can show, and text in "
        "terminals, under %%capture and where a program runs the notebook",
    ).tag(config=True)
    height = Int(Look.height, min=1, max=1000, help="rows of a live area").tag(config=True)
    wrap = Bool(Look.wrap, help="wrap long lines in a live area").tag(config=True)
    bars = Bool(Look.bars, help="show progress bars of programs below a live area's text").tag(config=True)
    lines = Int(
        Look.lines, min=100, max=1_000_000, help="lines that a live area keeps; the log has all"
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(config=shell.config)

    def look(self, options: LookOptions | None = None) -> Look:
        """How a cell is to look."""
        if options is None:
            return Look(self.display, self.height, self.wrap, self.bars, self.lines)
        return Look(
            display="plain" if options.plain else self.display,
            height=self.height if options.height is None else options.height,
            wrap=self.wrap or options.wrap,
            bars=self.bars and not options.no_progress,
            lines=self.lines,
        )

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
