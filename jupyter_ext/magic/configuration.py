"""``%config RemoteStream``: the defaults of one kernel for how output is shown."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets import Bool, Enum, Float, Int, List, TraitType, Unicode
from traitlets.config import Configurable

from pyrepl_stream.config import Settings, load_settings

from ..views.display_options import DISPLAYS, DisplayOptions
from .arguments import DisplayArguments, OutputArguments


def _trait(default: Any, meaning: str) -> TraitType[Any, Any]:
    """Return a trait for values of the type of ``default``; None stands for the value in ``config.toml``."""
    kinds: dict[type, Any] = {
        bool: Bool,
        int: Int,
        float: Float,
        str: Unicode,
        tuple: partial(List, Unicode()),
    }
    trait: TraitType[Any, Any] = kinds[type(default)](default_value=None, allow_none=True, help=meaning)
    return trait.tag(config=True)


class RemoteStream(Configurable):
    """How the output of ``%%remote_stream`` is shown. None stands for the value in ``config.toml``."""

    locals().update(  # traitlets looks for traits in the class body
        {setting.name: _trait(setting.default, setting.metadata["help"]) for setting in fields(Settings)}
    )

    display = Enum(
        DISPLAYS,
        "auto",
        help="`widget` (a live area), `html`, `plain`, or `auto`: the best that the front end can show, and "
        "text in terminals, under %%capture and when a program runs the notebook",
    ).tag(config=True)
    height = Int(DisplayOptions.height, min=1, max=1000, help="rows of a live area").tag(config=True)
    wrap = Bool(DisplayOptions.wrap, help="wrap long lines in a live area").tag(config=True)
    bars = Bool(DisplayOptions.bars, help="show progress bars below the text of a live area").tag(config=True)
    lines = Int(
        DisplayOptions.lines,
        min=100,
        max=1_000_000,
        help="lines that a live area keeps; `%remote_stream logs` shows all of them",
    ).tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(config=shell.config)

    def display_options(
        self, arguments: DisplayArguments, *, show_errors: bool, output: object = None
    ) -> DisplayOptions:
        """Return how a cell shows output. The cell's own options take precedence over those set here."""
        return DisplayOptions(
            display="plain" if arguments.plain else self.display,
            height=self.height if arguments.height is None else arguments.height,
            wrap=self.wrap or arguments.wrap,
            bars=self.bars and not arguments.raw_bars,
            lines=self.lines,
            show_errors=show_errors,
            output=output,
        )

    def settings(self, arguments: OutputArguments) -> Settings:
        """Return the settings of a cell: its own options, then those set here, then the user's file.

        Raises:
            pyrepl_stream.UsageError: A value is not valid.
        """
        here: dict[str, Any] = {
            setting.name: tuple(value) if isinstance(value, list) else value
            for setting in fields(Settings)
            if (value := getattr(self, setting.name)) is not None
        }
        names = ("filter", "exclude", "prefix", "color", "format", "progress")
        options = {name: getattr(arguments, name) for name in names}
        return replace(load_settings(), **here).with_options(**options)
