"""How one command-line tool is called, and what reads its output."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from ..config import way_out
from ..errors import UsageError

__all__ = ("Profile",)

_LONGEST_WORD = 128 * 1024 - 1  # bytes; Linux starts no program with a longer one
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Profile:
    """How one tool is called. ``watch`` is as it was written; limits are in seconds, None is none.

    Each of ``flags`` is a flag with its values.
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
        options: Mapping[str, str] = _NOTHING,
        arguments: Sequence[str] = (),
        without: Collection[str] = (),
    ) -> list[str]:
        """The words to run: command, flags, options, ``arguments``, and the prompt if it is one of them.

        ``without`` names flags to leave out, with their values. A prompt or the value of an option that
        begins with ``-`` is refused where the tool would take it for a flag: not every tool knows ``--``,
        so none is added. Whoever knows that this one does ends ``arguments`` with it. Raises
        :class:`UsageError`.
        """
        known = [group[0] for group in self.flags]
        for flag in without:
            if flag not in known:
                raise self._mistake(f"there is no flag {flag!r} to leave out", flag, known)
        words = [*self.command, *(word for group in self.flags if group[0] not in without for word in group)]
        for option, value in options.items():
            words += self._option(option, value)
        words += arguments
        self._check(prompt, words)
        if self.prompt == "argument":
            words.append(prompt)
        for word in words:
            if "\0" in word:
                raise self._mistake(f"an argument cannot hold a NUL character ({word[:60]!r}): remove it")
        return words

    def stdin(self, prompt: str) -> str:
        """What to write to standard input."""
        return prompt if self.prompt == "stdin" else ""

    def _option(self, option: str, value: str) -> list[str]:
        words = self.options.get(option)
        if words is None:
            raise self._mistake(f"there is no option {option!r}", option, self.options)
        if not isinstance(value, str):
            raise self._mistake(f"the value of the option {option!r} has to be text, and is {value!r}")
        if value.startswith("-") and any(word.startswith("{value}") for word in words):
            raise self._mistake(
                f"the value {value[:60]!r} of the option {option!r} would be read as a flag: pass the words "
                "in `arguments`, or attach the value in the profile (--flag={value})"
            )
        return [word.replace("{value}", value) for word in words]

    def _check(self, prompt: str, words: Sequence[str]) -> None:
        if self.prompt == "none":
            if prompt:
                raise self._mistake(
                    "it takes no prompt: pass the text in `arguments`, or set `prompt` in the profile to "
                    '"stdin" or "argument"'
                )
            return
        if not prompt.strip():
            raise self._mistake("the prompt is missing: say what the tool is to do")
        if self.prompt == "stdin":
            return
        if prompt.startswith("-") and words[-1] != "--":
            raise self._mistake(
                f"a prompt that begins with '-' would be read as a flag ({prompt[:60]!r}): begin it with a "
                "space or a word, or end `arguments` with '--' if the tool knows that"
            )
        size = len(prompt.encode("utf-8", "surrogatepass"))
        if size > _LONGEST_WORD:
            raise self._mistake(
                f"a prompt of {size} bytes is too long for an argument (at most {_LONGEST_WORD}): name a "
                'file in it that holds the text, or set `prompt` to "stdin" if the tool reads that'
            )

    def _mistake(self, text: str, wrong: str = "", known: Iterable[str] | None = None) -> UsageError:
        hint = "" if known is None else way_out(wrong, known)
        return UsageError(f"profile {self.name!r}: {text}{hint}")
