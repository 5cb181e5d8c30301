"""Libraries choose colours, widgets, bars and renderers in each target as in a stock kernel.

Each line of ``libraries.txt`` has a library and an expression that it evaluates to choose, so that the library
need not be installed. For installed libraries, ``asked.txt`` has expressions that call the library itself.
``differences/libraries.txt`` has the lines that differ today, by target; remove a line that no longer differs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from fidelity.outcomes import Case
from fidelity.places import Place, loaded_kernel, local, stock_kernel, thread

_HERE = Path(__file__).parent
_PROGRAM = """
import importlib.util, os, sys
def fidelity_decide(lines):
    found = {{}}
    for line in lines:
        library, _, expression = line.partition(": ")
        if {asked} and importlib.util.find_spec(library) is None:
            continue
        try:
            found[line] = repr(eval(expression, {{"os": os, "sys": sys, "get_ipython": get_ipython}}))
        except Exception as error:
            found[line] = repr(error)
    return found
print(fidelity_decide({lines!r}))
"""
_PLACES = {"a plain cell": loaded_kernel, "thread:": thread, "local:": local}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with stock_kernel(tmp_path_factory.mktemp("reference")) as place:
        yield place


def _decided(place: Place, name: str) -> dict[str, str]:
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    program = _PROGRAM.format(asked=name == "asked.txt", lines=lines)
    outcome = place(Case("libraries", name, (program,)))[0]
    assert not outcome.error, outcome.traceback
    found = ast.literal_eval(outcome.stdout)
    assert isinstance(found, dict)
    return found


def test_the_table_has_25_libraries() -> None:
    lines = (_HERE / "libraries.txt").read_text(encoding="utf-8").splitlines()
    assert len({line.partition(": ")[0] for line in lines}) >= 25


def _known(where: str) -> set[str]:
    text = (_HERE / "differences" / "libraries.txt").read_text(encoding="utf-8")
    sections = dict(section.split("\n", 1) for section in text.split("# ")[1:])
    return set(sections.get(where, "").splitlines())


@pytest.mark.kernel
@pytest.mark.parametrize("where", _PLACES)
def test_libraries_decide_as_in_a_stock_kernel(where: str, reference: Place, tmp_path: Path) -> None:
    differing = set()
    with _PLACES[where](tmp_path) as place:
        for name in ("libraries.txt", "asked.txt"):
            expected, found = _decided(reference, name), _decided(place, name)
            differing |= {line for line in expected if expected[line] != found.get(line)}
    assert differing == _known(where)
