"""Live areas in real kernels. The test plays the page over the comm of the widget."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import nbformat
import pytest
from support.kernels import Kernel, kernel
from support.notebook import WIDGET, Notebook, save_notebook

from pyrepl_stream.inventory import find_execution

pytestmark = pytest.mark.kernel


@pytest.fixture
def notebook(fresh_kernel: Kernel) -> Notebook:
    return Notebook(fresh_kernel).loaded()


@pytest.fixture
def any_notebook(any_kernel: Kernel) -> Notebook:
    return Notebook(any_kernel)


def waits_for(go: Path) -> str:
    return f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)"


# -- rows and displays -----------------------------------------------------------------------------


def test_rows_arrive_while_the_cell_runs_and_a_record_stays(any_notebook: Notebook, tmp_path: Path) -> None:
    notebook, go = any_notebook, tmp_path / "go"
    cell = notebook.execute(f"%%remote_stream\nprint('first')\n{waits_for(go)}\nprint('second')\n6 * 7")
    area = notebook.area(cell)
    notebook.until(lambda: "first" in area.texts)
    assert area.status["state"] == "running"
    (first,) = notebook.displays(cell)
    assert WIDGET in first
    assert area.status["name"] in first["text/plain"]
    go.touch()
    notebook.until(lambda: cell in notebook.replies)
    notebook.until(lambda: area.status["state"] == "ok")
    assert area.texts == ["first", "second", "42"]
    notebook.until(lambda: cell in notebook.idle)
    (record,) = notebook.displays(cell)
    assert set(record) == {"text/html", "text/plain"}
    assert "first\nsecond\n42" in record["text/plain"]
    assert notebook.text(cell) == notebook.text(cell, "stderr") == ""


@pytest.mark.parametrize("target", ["local:", "thread:"])
def test_cleared_output_is_not_shown_but_kept_in_the_log(notebook: Notebook, target: str) -> None:
    code = "from IPython.display import HTML, clear_output, display\nfor n in range(3):\n    clear_output(wait=True)\n"
    cell = notebook.run(
        f"%%remote_stream {target}\n{code}    print('epoch', n)\n    display(HTML(f'<b>{{n}}</b>'))"
    )
    area = notebook.area(cell)
    notebook.until(lambda: area.status["state"] == "ok")
    assert area.texts == ["epoch 2", ""]
    (record,) = notebook.displays(cell)  # not cleared with the rest of the cell
    notebook.until(lambda: WIDGET not in notebook.displays(cell)[0])
    (record,) = notebook.displays(cell)
    assert ["epoch" in line for line in record["text/plain"].splitlines()].count(True) == 1
    assert "<b>2</b>" in record["text/html"]
    assert "<b>1</b>" not in record["text/html"]


@pytest.mark.parametrize("target", ["local:", "thread:"])
def test_plain_output_is_cleared(notebook: Notebook, target: str) -> None:
    code = "from IPython.display import clear_output\nfor n in range(3):\n    clear_output(wait=True)\n    print('epoch', n)"
    cell = notebook.run(f"%%remote_stream {target} --plain\n{code}")
    assert notebook.text(cell) == "epoch 2\n"


def test_a_front_end_that_does_not_name_its_cells_gets_text(notebook: Notebook) -> None:
    cell = notebook.client.execute(
        "%%remote_stream\nprint('hello')"
    )  # as `jupyter run` and `jupyter console` do
    notebook.outputs[cell] = []
    notebook.until(lambda: cell in notebook.idle)
    assert notebook.text(cell) == "hello\n"
    assert notebook.displays(cell) == []


def test_a_failed_run_fails_its_cell_and_the_record_shows_it(notebook: Notebook) -> None:
    cell = notebook.run("%%remote_stream\nprint('before')\n1/0")
    assert notebook.replies[cell]["ename"] == "ZeroDivisionError"
    notebook.until(lambda: "failed" in notebook.displays(cell)[0]["text/plain"])
    assert "before" in notebook.displays(cell)[0]["text/plain"]


def test_code_without_output_is_shown_as_running(notebook: Notebook, tmp_path: Path) -> None:
    go = tmp_path / "go"
    cell = notebook.execute(f"%%remote_stream\n{waits_for(go)}")
    area = notebook.area(cell)
    notebook.until(lambda: area.status["state"] == "running" and area.status["started"])
    go.touch()
    notebook.until(lambda: cell in notebook.replies)


def test_bars_are_a_trait_and_not_rows(notebook: Notebook) -> None:
    code = "import sys\nfor n in range(1, 6): print(f'\\r{n * 20}%|##| {n}/5 [00:0{n}<00:01, 1.0it/s]', end='', file=sys.stderr)\nprint(file=sys.stderr)\nprint('done')"
    area = notebook.area(notebook.run(f"%%remote_stream\n{code}"))
    notebook.until(lambda: area.status["state"] == "ok")
    assert [bar["current"] for bar in area.state["bars"]] == [5]
    assert [text for text in area.texts if text] == ["done"]
    cell = notebook.run(f"%%remote_stream --raw-bars\n{code}")
    other = notebook.area(cell)
    assert other.state["bars"] == []
    assert "100%|##| 5/5" in notebook.displays(cell)[0]["text/plain"]


def test_a_display_for_the_front_end_is_also_an_ordinary_output(notebook: Notebook) -> None:
    code = "from IPython.display import Latex, HTML, display\ndisplay(HTML('<b>x</b>'))\nprint('between')\ndisplay(Latex('$x$'))"
    cell = notebook.run(f"%%remote_stream\n{code}")
    area = notebook.area(cell)
    notebook.until(lambda: len(notebook.displays(cell)) == 2)
    assert [data["text/latex"] for data in notebook.displays(cell) if "text/latex" in data] == ["$x$"]
    notebook.until(lambda: area.of("display"))
    assert area.of("display")[0]["bundle"]["kind"] == "html"


@pytest.mark.parametrize("look", ["widget", "html", "plain"])
@pytest.mark.parametrize("target", ["local:", "thread:"])
@pytest.mark.parametrize(
    "odd",
    [
        "{'image/png': 'aGk='}, raw=True, metadata={'width': 10**400}",
        "{'application/vnd.plotly.v1+json': {'data': [], 'a\\ud800': '\\ud800'}, 'text/plain': 'x'}, raw=True",
        "{'text/latex': '\\ud800', 'text/plain': '\\ud800'}, raw=True, metadata={'\\ud800': 1}",
        "{'application/json': circle, 'text/plain': 'x'}, raw=True",
        "{'application/json': deep, 'text/plain': 'x'}, raw=True",
    ],
    ids=["width", "chart", "latex", "circle", "deep"],
)
def test_an_invalid_display_does_not_stop_other_output(
    notebook: Notebook, look: str, target: str, odd: str
) -> None:
    notebook.run(f"%config RemoteStream.display = {look!r}")
    code = "circle = []; circle.append(circle)\ndeep = []\nfor _ in range(5000): deep = [deep]\n"
    code += f"from IPython.display import display\nprint('before')\ndisplay({odd})\nprint('after')"
    cell = notebook.run(f"%%remote_stream {target}\n{code}")
    assert notebook.replies[cell]["status"] == "ok"
    if look == "plain":
        notebook.until(lambda: notebook.text(cell).endswith("after\n"))
    else:
        notebook.until(lambda: any("after" in data.get("text/plain", "") for data in notebook.displays(cell)))


def test_a_page_that_opens_receives_the_elapsed_time(notebook: Notebook, tmp_path: Path) -> None:
    go = tmp_path / "go"
    cell = notebook.execute(f"%%remote_stream\nprint('x')\n{waits_for(go)}")
    area = notebook.area(cell)
    notebook.until(lambda: area.texts == ["x"] and area.status["state"] == "running")
    before = area.status
    notebook.say(area, type="hello", view="page", have=0)
    notebook.until(lambda: (area.status["elapsed"] or 0) > (before["elapsed"] or 0))
    go.touch()
    notebook.until(lambda: area.status["state"] == "ok")
    assert area.status["elapsed"] is None


def test_height_and_wrap_reach_the_page(notebook: Notebook) -> None:
    area = notebook.area(notebook.run("%%remote_stream --height 7 --wrap\n1"))
    assert area.state["options"] == {"height": 7, "wrap": True, "id": area.id}
    notebook.run("%config RemoteStream.height = 9")
    area = notebook.area(notebook.run("%%remote_stream\n1"))
    assert area.state["options"] == {"height": 9, "wrap": False, "id": area.id}


# -- messages of pages ----------------------------------------------------------------------------


def test_a_page_that_opens_late_receives_all_rows_while_the_cell_runs(
    notebook: Notebook, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    cell = notebook.execute(f"%%remote_stream\nfor i in range(5000): print('line', i)\n{waits_for(go)}")
    area = notebook.area(cell)
    notebook.until(lambda: area.end == 5000)
    area.rows.clear()
    notebook.say(area, type="hello", view="late", have=0)
    notebook.until(lambda: len(area.rows) == 5000)
    assert area.texts == [f"line {i}" for i in range(5000)]
    assert {message["to"] for message, _ in area.messages if "to" in message} == {"late"}
    notebook.say(area, type="rows", view="late", first=10, end=20)
    notebook.until(lambda: [run[0] for run in area.of("rows", "late")[-1]["runs"]] == [10])
    go.touch()
    notebook.until(lambda: cell in notebook.replies)


def test_a_ping_of_the_page_is_answered(notebook: Notebook) -> None:
    area = notebook.area(notebook.run("%%remote_stream\n1"))
    notebook.say(area, type="ping", view="page")
    notebook.until(lambda: area.of("pong", "page"))


def test_search_covers_the_whole_record_and_returns_row_numbers(notebook: Notebook) -> None:
    notebook.run("%config RemoteStream.lines = 100")
    area = notebook.area(notebook.run("%%remote_stream\nfor i in range(20000): print('line', i)"))
    notebook.until(lambda: area.status["state"] == "ok")
    assert area.first == 20000 - 100
    notebook.say(area, type="search", view="page", search=1, text="LINE 77")
    notebook.until(lambda: any(found["done"] for found in area.of("found", "page")))
    expected = [[i, f"line {i}"] for i in range(20000) if f"line {i}".startswith("line 77")]
    assert [line for found in area.of("found", "page") for line in found["lines"]] == expected
    assert area.of("found", "page")[-1]["count"] == len(expected)
    assert area.of("found", "page")[-1]["searched"] == 20000


def log_of(notebook: Notebook, area, view: str = "page") -> bytes:
    data = b""
    for part in itertools.count():
        notebook.say(area, type="log", view=view, log=1, part=part)
        notebook.until(lambda: any(m["part"] == part for m in area.of("log", view)))  # noqa: B023
        message, buffers = next((m, b) for m, b in area.messages if m["type"] == "log" and m["part"] == part)
        data += b"".join(buffers)
        if message["done"]:
            assert message["name"].endswith(".log")
            return data
    raise AssertionError


def test_the_log_has_exactly_the_bytes_that_were_written(notebook: Notebook) -> None:
    line = "%%remote_stream --filter nothing --shell --no-tty"
    area = notebook.area(notebook.run(line + "\nprintf 'a\\377\\r\\n'; seq 200000; printf '\\303\\244 end'"))
    expected = b"a\xff\r\n" + b"".join(b"%d\n" % n for n in range(1, 200001)) + b"\xc3\xa4 end"
    assert log_of(notebook, area) == expected


def test_stop_of_the_page_ends_the_run(any_notebook: Notebook) -> None:
    notebook = any_notebook
    version = notebook.kernel.run("import ipykernel; print(ipykernel.version_info[0])").text().strip()
    cell = notebook.execute("%%remote_stream\nprint('go')\nimport time\ntime.sleep(1000)")
    area = notebook.area(cell)
    notebook.until(lambda: "go" in area.texts)
    assert area.status["stop"] == ("kernel" if version == "6" else "yes")
    if version == "6":
        notebook.kernel.manager.interrupt_kernel()
    else:
        notebook.say(area, type="interrupt")
    notebook.until(lambda: cell in notebook.replies)
    assert notebook.replies[cell]["ename"] == "KeyboardInterrupt"
    notebook.until(lambda: area.status["state"] == "interrupted")


def test_stop_works_on_every_kernel_for_a_detached_run(any_notebook: Notebook) -> None:
    notebook = any_notebook
    cell = notebook.run(
        "%%remote_stream thread: --detach\nprint('go')\nimport asyncio\nawait asyncio.sleep(1000)"
    )
    area = notebook.area(cell)
    notebook.until(lambda: "go" in area.texts)
    assert (area.status["stop"], area.status["detached"]) == ("yes", True)
    notebook.say(area, type="interrupt")
    notebook.until(lambda: area.status["state"] == "interrupted")
    notebook.until(lambda: WIDGET not in notebook.displays(cell)[0])  # although its cell has ended


def test_input_is_requested_in_the_area_and_passwords_are_marked(notebook: Notebook) -> None:
    cell = notebook.execute(
        "%%remote_stream\nimport getpass, time\nprint('go')\ntime.sleep(0.3)\nprint('hi', input('name? '), len(getpass.getpass()))"
    )
    area = notebook.area(cell)
    notebook.say(area, type="hello", view="page", have=0)
    notebook.until(lambda: area.state["question"])
    question = area.state["question"]
    assert (question["prompt"], question["password"]) == ("name?", False)
    notebook.say(area, type="input", view="page", request=question["request"], text="bob")
    notebook.until(lambda: area.of("answered", "page"))
    answered = {"type": "answered", "to": "page", "request": question["request"], "ok": True, "text": ""}
    assert area.of("answered", "page") == [answered]
    notebook.until(lambda: area.state["question"] and area.state["question"]["password"])
    notebook.say(area, type="input", view="page", request=area.state["question"]["request"], text="secret")
    notebook.until(lambda: cell in notebook.replies)
    notebook.until(lambda: area.status["state"] == "ok")
    assert "hi bob 6" in area.texts
    assert "secret" not in str(area.texts)
    assert area.state["question"] is None
    assert notebook.asked == []


def test_a_failed_answer_is_reported_to_the_page(notebook: Notebook) -> None:
    cell = notebook.run("%%remote_stream\n1")
    area = notebook.area(cell)
    notebook.say(area, type="input", view="page", request=77, text="bob")
    notebook.until(lambda: area.of("answered", "page"))
    (answered,) = area.of("answered", "page")
    assert (answered["request"], answered["ok"]) == (77, False)
    assert answered["text"]


def test_a_front_end_without_the_area_receives_an_input_request(notebook: Notebook) -> None:
    cell = notebook.execute("%%remote_stream\nprint('hi', input('name? '))")
    notebook.until(lambda: notebook.asked)
    notebook.client.input("bob")
    notebook.until(lambda: cell in notebook.replies)
    assert "hi bob" in notebook.displays(cell)[0]["text/plain"]


# -- several areas, several kernels ----------------------------------------------------------------


def test_a_detached_run_leaves_its_record_in_its_own_cell(notebook: Notebook, tmp_path: Path) -> None:
    go = tmp_path / "go"
    cell = notebook.run(f"%%remote_stream --detach --as later\n{waits_for(go)}\nprint('late')")
    assert WIDGET in notebook.displays(cell)[0]
    other = notebook.run("print('other')")
    go.touch()
    notebook.until(lambda: WIDGET not in notebook.displays(cell)[0])
    assert "late" in notebook.displays(cell)[0]["text/plain"]
    assert notebook.text(other) == "other\n"


def test_a_second_cell_of_an_execution_shares_its_model(notebook: Notebook, tmp_path: Path) -> None:
    go = tmp_path / "go"
    first = notebook.run(f"%%remote_stream --detach --as shared\nprint('x')\n{waits_for(go)}")
    area = notebook.area(first)
    second = notebook.execute(f"%%remote_stream --detach --as shared\nprint('x')\n{waits_for(go)}")
    assert notebook.area(second) is area
    third = notebook.execute("%remote_stream attach shared --height 3")
    assert notebook.area(third) is not area  # its options differ
    go.touch()
    notebook.until(lambda: third in notebook.replies)
    for cell in (first, second, third):
        notebook.until(lambda: WIDGET not in notebook.displays(cell)[0])  # noqa: B023
        assert "x" in notebook.displays(cell)[0]["text/plain"]


def test_attach_shows_a_live_area_that_stays_live_after_an_interrupt(
    any_notebook: Notebook, tmp_path: Path
) -> None:
    notebook, go = any_notebook, tmp_path / "go"
    notebook.run(
        f"%%remote_stream --detach --fresh --as again --plain\nprint('begun')\n{waits_for(go)}\nprint('end')"
    )
    cell = notebook.execute("%remote_stream attach again")
    area = notebook.area(cell)
    notebook.until(lambda: "begun" in area.texts)
    notebook.kernel.manager.interrupt_kernel()
    notebook.until(lambda: cell in notebook.replies)
    assert notebook.replies[cell]["status"] == "ok"
    assert "again continues" in notebook.text(cell, "stderr")
    go.touch()
    notebook.until(lambda: area.status["state"] == "ok")
    assert area.texts == ["begun", "end"]


def test_attach_to_an_ended_run_keeps_the_area_and_logs_leaves_a_record(notebook: Notebook) -> None:
    notebook.run("%%remote_stream --as done --plain\nprint('all of it')")
    cell = notebook.run("%remote_stream attach done")
    area = notebook.area(cell)
    notebook.until(lambda: area.texts == ["all of it"] and area.status["state"] == "ok")
    assert WIDGET in notebook.displays(cell)[0]
    logs = notebook.run("%remote_stream logs done")
    assert WIDGET not in notebook.displays(logs)[0]
    assert "all of it" in notebook.displays(logs)[0]["text/plain"]


def test_an_attached_run_has_its_record_and_its_area_works_in_a_new_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "saved.ipynb"
    with kernel(cwd=tmp_path) as first:
        notebook = Notebook(first).loaded()
        own = notebook.area(notebook.run("%%remote_stream --as done\nprint('all of it')"))
        cells = [notebook.run("%remote_stream attach done") for _ in range(3)]
        (name,) = {notebook.area(cell).id for cell in cells}  # one model for all
        assert name != own.id
        notebook.until(lambda: "all of it" in notebook.displays(cells[0])[0]["text/plain"])
        assert "all of it" in notebook.displays(cells[0])[0]["text/html"]
        save_notebook(path, *notebook.displays(cells[0]))
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    with kernel(cwd=tmp_path) as second:
        notebook = Notebook(second).loaded()
        notebook.until(lambda: name in notebook.areas)
        assert list(notebook.areas) == [name]
        area = notebook.areas[name]
        notebook.say(area, type="hello", view="page", have=0)
        notebook.until(lambda: area.texts == ["all of it"])


def test_areas_that_were_forgotten_are_read_again(notebook: Notebook) -> None:
    cells = [notebook.run(f"%%remote_stream --as number-{n}\nprint({n})") for n in range(45)]
    first = notebook.area(cells[0])
    first.rows.clear()
    notebook.say(first, type="hello", view="page", have=1)
    notebook.until(lambda: first.rows and first.texts == ["0"])


@pytest.mark.parametrize("ended", [False, True], ids=["running", "ended"])
def test_a_new_kernel_restores_the_areas_of_the_saved_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    path, go = tmp_path / "saved.ipynb", tmp_path / "go"
    with kernel(cwd=tmp_path) as first:
        notebook = Notebook(first).loaded()
        notebook.run("%%remote_stream --as unrelated\n1")
        cell = notebook.run(
            f"%%remote_stream --detach --as kept\nprint('one')\n{waits_for(go)}\nprint('two')"
        )
        name = notebook.area(cell).id
        save_notebook(path, *notebook.displays(cell))
        if ended:
            go.touch()
            notebook.until(lambda: find_execution("kept").ended)
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    with kernel(cwd=tmp_path) as second:
        notebook = Notebook(second).loaded()
        notebook.until(lambda: notebook.areas)
        assert set(notebook.areas) == {name}
        area = notebook.areas[name]
        notebook.say(area, type="hello", view="page", have=0)
        notebook.until(lambda: "one" in area.texts)
        go.touch()
        notebook.until(lambda: area.texts == ["one", "two"] and area.status["state"] == "ok")
        assert log_of(notebook, area) == b"one\ntwo\n"


# -- bounds ----------------------------------------------------------------------------------------


def test_eight_areas_at_full_speed_are_complete_below_the_rate_limit(
    notebook: Notebook,
) -> None:
    flood = "for i in range(300000): print('line', i, '#' * 60)"
    cells = [notebook.run(f"%%remote_stream thread:t{n} --detach\n{flood}") for n in range(8)]
    areas = [notebook.area(cell) for cell in cells]
    notebook.until(lambda: all(area.status["state"] == "ok" for area in areas))
    for cell in cells:
        notebook.until(lambda: WIDGET not in notebook.displays(cell)[0])  # noqa: B023
    for area in areas:
        notebook.until(
            lambda area=area: len(area.rows) >= 10000 and set(range(area.first, area.end)) <= set(area.rows)
        )
        assert area.texts == [f"line {i} {'#' * 60}" for i in range(area.first, 300000)]
    arrivals = notebook.arrivals
    busiest = max(sum(1 for at in arrivals if start <= at < start + 3) for start in arrivals[::50])
    assert busiest < 3 * 500


# -- other views -----------------------------------------------------------------------------------


def test_html_is_replaced_in_place_and_ends_as_the_record(notebook: Notebook) -> None:
    notebook.run("%config RemoteStream.display = 'html'")
    cell = notebook.run("%%remote_stream\nprint('<b>x</b>')")
    assert notebook.areas == {}
    (data,) = notebook.displays(cell)
    assert "&lt;b&gt;x" in data["text/html"]
    assert "<b>x</b>" in data["text/plain"]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    saved = nbformat.v4.new_notebook()
    bar = "import sys, time\nfor n in range(1, 6): print(f'\\r{n * 20}%|##| {n}/5 [00:0{n}<00:01, 1.0it/s]', end='', file=sys.stderr); time.sleep(0.05)\nprint(file=sys.stderr)\nprint('done')"
    sources = (
        "%load_ext jupyter_ext",
        f"%%remote_stream\n{bar}",
        "%%remote_stream --shell\nprintf 'old\\rnew\\n'",
        "%%remote_stream --detach --as behind\nprint('late')",
        "%remote_stream wait behind",
    )
    saved.cells = [nbformat.v4.new_code_cell(source) for source in sources]
    saved.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "written.ipynb"
    nbformat.write(saved, path)
    return path


@pytest.mark.parametrize("tool", ["nbclient", "papermill"])
def test_programs_that_run_notebooks_save_whole_lines_and_records(
    written: Path, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from support.kernels import ROOT

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    if tool == "nbclient":
        from nbclient import NotebookClient

        notebook = nbformat.read(written, as_version=4)
        NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(written.parent)}}).execute()
    else:
        import papermill

        papermill.execute_notebook(str(written), str(written), progress_bar=False, cwd=str(written.parent))
        notebook = nbformat.read(written, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    texts = [output.text for output in outputs if output.output_type == "stream"]
    assert "\r" not in "".join(texts)
    assert any("100%" in text for text in texts)
    assert not any("40%" in text for text in texts)
    assert "new\n" in texts
    (record,) = (output.data["text/plain"] for output in outputs if output.output_type == "display_data")
    assert "late" in record
    assert WIDGET not in str(outputs)


def test_slow_output_is_sent_in_few_messages(notebook: Notebook) -> None:
    code = "import time\nbegan = time.monotonic()\nwhile time.monotonic() < began + 2: print('x'); time.sleep(0.01)"
    cell = notebook.execute(f"%%remote_stream\n{code}", allow_stdin=False)
    began = time.monotonic()
    notebook.until(lambda: cell in notebook.replies)
    streams = [output for output in notebook.outputs[cell] if output["type"] == "stream"]
    assert len(streams) <= (time.monotonic() - began) + 2
