from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_ext.area.revival import model_ids

WIDGET = "application/vnd.jupyter.widget-view+json"


def test_the_models_of_the_notebook_are_found_by_the_name_the_server_gives(tmp_path: Path) -> None:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "x"},
        {"output_type": "display_data", "data": {WIDGET: {"model_id": "one"}, "text/plain": "x"}},
        {"output_type": "display_data", "data": {"text/plain": "x"}},
    ]
    cells = [{"cell_type": "markdown", "source": ""}, {"cell_type": "code", "outputs": outputs}]
    path = tmp_path / "some.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    assert model_ids({"JPY_SESSION_NAME": str(path)}) == {"one"}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": 3}', '{"cells": [{"outputs": [{"data": 1}]}]}'])
def test_what_is_no_notebook_says_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "some.ipynb"
    path.write_text(text)
    assert model_ids({"JPY_SESSION_NAME": str(path)}) is None


def test_a_kernel_of_no_notebook_says_nothing() -> None:
    assert model_ids({}) is None
    assert model_ids({"JPY_SESSION_NAME": "console-1"}) is None
    assert model_ids({"JPY_SESSION_NAME": "/nothing/there.ipynb"}) is None
