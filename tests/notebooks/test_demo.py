"""The program that ``make demo`` runs, in a real kernel."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import demo
import pytest


def notebook(directory: Path, *sources: str) -> str:
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source} for source in sources]
    path = directory / "some.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    return str(path)


def printed(*pieces: tuple[int, str, str]) -> str:
    out = io.StringIO()
    printer = demo.Printer(out)
    printer.started = {1: 0.0, 2: 0.0}
    for piece in pieces:
        printer.write(*piece)
    printer.end_line()
    return re.sub(r"\[(\d)\] +[\d.]+ s ", r"\1", out.getvalue())


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([(1, "|", "a"), (1, "|", "b\nc")], "1| ab\n1| c\n"),
        ([(1, "|", "a"), (2, "|", "b\n"), (1, "|", "c\n")], "1| a\n2| b\n1| c\n"),
        ([(1, "|", "a"), (1, "!", "b")], "1| a\n1! b\n"),
        ([(1, "|", "\n\n")], "1| \n1| \n"),
        ([(1, "|", "1 %\r2 %\r\n")], "1| 1 %\r1| 2 %\n"),
    ],
)
def test_each_line_has_the_mark_of_its_cell_and_stream(
    pieces: list[tuple[int, str, str]], expected: str
) -> None:
    assert printed(*pieces) == expected


@pytest.mark.kernel
def test_lines_are_shown_with_the_time_at_which_they_arrived(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = "import sys, time\nprint('first', flush=True)\ntime.sleep(0.5)\nprint('second')"
    assert demo.main([notebook(tmp_path, slow, "sys.executable")]) == 0
    shown = capsys.readouterr().out
    first, second = (
        float(re.search(rf"^\[1\] +([\d.]+) s \| {text}$", shown, re.M)[1])  # type: ignore[index]
        for text in ("first", "second")
    )
    assert first < 0.4 < second - first < 2
    assert f"> {sys.executable!r}" in shown  # the kernel is that of this interpreter


@pytest.mark.kernel
def test_a_failing_cell_is_the_last_one_and_the_exit_code_is_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main([notebook(tmp_path, "1 / 0", "print('not' + ' reached')")]) == 1
    shown = capsys.readouterr().out
    assert "ZeroDivisionError" in shown
    assert "not reached" not in shown


@pytest.mark.kernel
def test_the_death_of_the_kernel_makes_the_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.main([notebook(tmp_path, "import os; os._exit(0)")]) == 1
    assert "died in cell 1" in capsys.readouterr().err


def test_a_missing_notebook_makes_the_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main([str(tmp_path / "none.ipynb")]) == 2
    assert "none.ipynb" in capsys.readouterr().err
