"""A cell shows the same in each target as in a stock kernel, or in plain Python.

``differences/TARGET.txt`` names the cases that differ, below the key of the reason. The test of a listed case that
no longer differs fails too: remove its line. The reasons are a table in docs/fidelity.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fidelity.outcomes import CASES, Case, Outcome, differences
from fidelity.places import TARGETS, Place, plain_python, stock_kernel
from support.kernels import ROOT

EVERY = 10  # the suite runs one case in ten, the soak all of them


def test_the_differences_are_names_of_cases() -> None:
    ids = {case.id for case in CASES}
    assert len(ids) == len(CASES) >= 300
    for target in TARGETS:
        assert ids >= differences(target).keys(), target
    assert not differences("plain-cell")


def test_each_reason_is_a_row_of_the_table_and_each_row_is_used() -> None:
    page = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `([\w-]+)` \|", page)
    assert len(rows) == len(set(rows)) <= 15
    assert set(rows) == {reason for target in TARGETS for reason in differences(target).values()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool, Case], list[Outcome]]]:
    """Runs a case in the stock kernel or in plain Python, once; ``reference(plain, case)``."""
    known: dict[tuple[bool, str], list[Outcome]] = {}
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv(
            "IPYTHONDIR", str(tmp_path_factory.mktemp("ipython"))
        )  # no settings or history of the user
        places: dict[bool, Place] = {}

        def run(plain: bool, case: Case) -> list[Outcome]:
            if plain not in places:
                start = plain_python if plain else stock_kernel
                places[plain] = stack.enter_context(start(tmp_path_factory.mktemp("reference")))
            if (plain, case.id) not in known:
                known[plain, case.id] = places[plain](case)
            return known[plain, case.id]

        yield run


@pytest.mark.kernel
@pytest.mark.parametrize("target", TARGETS)
def test_cells_show_what_they_show_in_the_reference(
    target: str,
    reference: Callable[[bool, Case], list[Outcome]],
    tmp_path: Path,
    rounds: Callable[[int, int], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # With it, a kernel does not show what its child processes write.
    monkeypatch.delenv("PYTEST_CURRENT_TEST", raising=False)
    chosen, known = TARGETS[target], differences(target)
    cases = [case for case in CASES[:: rounds(EVERY, 1)] if case.is_plain_python or not chosen.plain]
    with chosen.place(tmp_path) as place:
        differing = [case.id for case in cases if reference(chosen.plain, case) != place(case)]
    assert differing == [case.id for case in cases if case.id in known]
