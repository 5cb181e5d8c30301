"""The description of one command-line tool."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..runtime.errors import UsageError
from ..runtime.validation import short_repr, suggest

__all__ = ("Profile",)

_MAX_ARGUMENT = 128 * 1024 - 1  # bytes; Linux does not start a program with a longer argument


@dataclass(frozen=True)
class Profile:
    """The command line of one tool, its limits, and the processors of its output.

    Args:
        name: The profile's name.
        command: The words before the flags.
        flags: Flags, each with its values.
        prompt: How the prompt is passed: as standard input, as the last argument, or not at all.
        options: The words of each option that a caller may give, with ``{value}`` in place of its value.
        processors: Names of the processors.
        watch: Paths whose changes count as activity, with ``~`` and ``<new>`` not yet expanded.
        activity: What counts as activity: ``output``, ``files`` or ``process``.
        timeout: Maximum duration of a run in seconds; None for no limit.
        idle_timeout: Maximum time without activity in seconds; None for no limit.
        watch_interval: Seconds between two checks of files and processes.
        pty: Run the tool on a terminal.
        stderr: Where standard error goes, as in :class:`Command`.
        env: Variables added to the environment.
    """

    name: str
    command: tuple[str, ...]
    flags: tuple[tuple[str, ...], ...] = ()
    prompt: Literal["stdin", "argument", "none"] = "none"
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    processors: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    activity: tuple[str, ...] = ("output",)
    timeout: float | None = None
    idle_timeout: float | None = None
    watch_interval: float = 1.0
    pty: bool = False
    stderr: Literal["merge", "pty", "pipe"] = "pipe"
    env: Mapping[str, str] = field(default_factory=dict, hash=False)

    def command_line(
        self,
        prompt: str,
        *,
        options: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        without: Collection[str] = (),
    ) -> list[str]:
        """Return the words of the command line.

        ``--`` is not added, because some tools do not support it. If the tool does, end ``arguments`` with
        ``--``; then the prompt may begin with ``-``.

        Args:
            prompt: The text for the tool. It becomes the last argument if the profile passes it that way.
            options: Values of options, by name.
            arguments: Additional words, after flags and options.
            without: Flags to leave out, with their values.

        Raises:
            UsageError: An option is unknown, the prompt is missing or not accepted, or the tool would
                mistake the prompt or a value for a flag.
        """
        known = [group[0] for group in self.flags]
        for flag in without:
            if flag not in known:
                raise self._error(f"there is no flag {flag!r} to leave out", flag, known)
        words = [*self.command, *(word for group in self.flags if group[0] not in without for word in group)]
        for option, value in (options or {}).items():
            words += self._option(option, value)
        words += arguments
        self._check(prompt, words)
        if self.prompt == "argument":
            words.append(prompt)
        for word in words:
            if "\0" in word:
                raise self._error(f"an argument contains a NUL character ({short_repr(word)}): remove it")
        return words

    def stdin(self, prompt: str) -> str:
        """Return the text to pass as standard input."""
        return prompt if self.prompt == "stdin" else ""

    def _option(self, option: str, value: str) -> list[str]:
        words = self.options.get(option)
        if words is None:
            raise self._error(f"there is no option {option!r}", option, self.options)
        if not isinstance(value, str):
            raise self._error(f"the value of the option {option!r} must be text, not {short_repr(value)}")
        if value.startswith("-") and any(word.startswith("{value}") for word in words):
            raise self._error(
                f"the value {short_repr(value)} of the option {option!r} would be taken for a flag: pass the "
                "words in `arguments`, or attach the value in the profile (--flag={value})"
            )
        return [word.replace("{value}", value) for word in words]

    def _check(self, prompt: str, words: Sequence[str]) -> None:
        if self.prompt == "none":
            if prompt:
                raise self._error(
                    "it does not accept a prompt: pass the text in `arguments`, or set `prompt` in the "
                    'profile to "stdin" or "argument"'
                )
            return
        if not prompt.strip():
            raise self._error("the prompt is missing: describe what the tool should do")
        if self.prompt == "stdin":
            return
        if prompt.startswith("-") and words[-1] != "--":
            raise self._error(
                f"a prompt that begins with '-' would be taken for a flag ({short_repr(prompt)}): begin it "
                "with a space or a word, or end `arguments` with '--' if the tool supports that"
            )
        size = len(prompt.encode("utf-8", "surrogatepass"))
        if size > _MAX_ARGUMENT:
            raise self._error(
                f"a prompt of {size} bytes is too long for an argument (at most {_MAX_ARGUMENT}): name a "
                'file that contains the text, or set `prompt` to "stdin" if the tool reads that'
            )

    def _error(self, text: str, name: str = "", known: Iterable[str] | None = None) -> UsageError:
        hint = "" if known is None else f"; {suggest(name, known)}"
        return UsageError(f"profile {self.name!r}: {text}{hint}")
