"""The caller of ``transform_cell`` decides. The tests of ``test_cell_magic.py`` prove it in real kernels."""

from __future__ import annotations

from jupyter_ext.magic.cell_origin import is_whole_cell


def transform_cell() -> bool:
    return (lambda: is_whole_cell())()  # a transformer, called by IPython


def do_execute() -> bool:
    return transform_cell()


def run_cell_magic() -> bool:
    return transform_cell()


def do_execute_of_a_magic() -> bool:
    def do_execute() -> bool:
        return run_cell_magic()

    return do_execute()


def test_only_a_cell_that_the_kernel_transforms_itself_is_whole() -> None:
    assert do_execute()
    assert not run_cell_magic()
    assert not do_execute_of_a_magic()
    assert not is_whole_cell()
