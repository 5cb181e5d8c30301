"""Code in a thread session does what it does in an interpreter."""

from __future__ import annotations

import io
import sys

from pyrepl_stream import Session


def test_input_reads_a_stream_that_code_has_put_in_the_place_of_stdin() -> None:
    before = sys.stdin
    try:
        with Session() as session:
            code = "import io, sys; sys.stdin = io.StringIO('hello\\n')\ninput('who? ')"
            result = session.execute(code).wait()
    finally:
        sys.stdin = before
    assert (result.result, result.stdout) == ("'hello'", "who? ")


def test_a_value_that_displays_itself_has_no_repr_besides() -> None:
    code = "class A:\n    def _ipython_display_(self): print('mine')\n"
    with Session() as session:
        result = session.execute(code + "A()").wait()
        assert (result.stdout, result.result) == ("mine\n", None)
        result = session.execute("display(A())").wait()
        assert (result.stdout, result.displays) == ("mine\n", [])


def test_a_cell_whose_value_has_a_failing_repr_fails() -> None:
    code = "class A:\n    def __repr__(self): raise ValueError('no repr')\nA()"
    with Session() as session:
        result = session.execute(code).wait()
    assert not result.success
    assert result.error is not None
    assert (result.error.name, result.error.value) == ("ValueError", "no repr")


def test_a_cells_file_name_depends_only_on_its_text() -> None:
    code = "import sys; sys._getframe().f_code.co_filename"
    names = set()
    for _ in range(2):
        with Session() as session:
            names |= {session.execute(code).wait().result for _ in range(2)}
            other = session.execute(code + " ").wait().result
    assert len(names) == 1
    assert other not in names


def test_the_source_of_a_cell_can_be_read_while_any_cell_of_its_text_is_there() -> None:
    code = "import inspect\ndef f():\n    return 1  # a comment\ninspect.getsource(f)"
    with Session() as session:
        with Session() as other:
            assert "# a comment" in (other.execute(code).wait().result or "")
            session.execute(code).wait()
        assert "# a comment" in (session.execute("inspect.getsource(f)").wait().result or "")


def test_input_of_a_program_that_ran_first_is_not_read() -> None:
    before, sys.stdin = sys.stdin, io.StringIO("not this\n")
    try:
        with Session() as session:
            execution = session.execute("input('q? ')")
            for message in execution:
                if message.type == "input_request":
                    execution.input("answer", message)
            assert execution.wait().result == "'answer'"
    finally:
        sys.stdin = before
