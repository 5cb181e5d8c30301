"""Settings: one table for the file, the notebook and the command line; invalid values are refused."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from pyrepl_stream.config.settings import Settings, load_settings
from pyrepl_stream.processors import FORMATS, Colour, ColourPolicy, JsonLines, LineFilter, Prefix, Progress
from pyrepl_stream.processors.output_options import FORMAT_NAMES
from pyrepl_stream.runtime.errors import UsageError
from pyrepl_stream.runtime.messages import CompleteMessage, Message, OutputMessage

PAGE = ColourPolicy.page()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYREPL_STREAM_CONFIG_DIR", str(tmp_path))
    return tmp_path / "config.toml"


def test_without_a_file_output_is_not_processed(config: Path) -> None:
    assert load_settings() == Settings()
    assert Settings().processors(PAGE) == ()


def test_the_file_is_read_each_time_and_gives_the_processors_in_order(config: Path) -> None:
    load_settings()
    config.write_text(
        'format = "json"\nfilter = ["errors"]\nprefix = "> "\nprogress = true\n'
        'progress_libraries = ["tqdm"]\nprogress_every_percent = 5\ntime_limit = 0.5\n'
    )
    processors = load_settings().processors(PAGE)
    assert [type(processor) for processor in processors] == [JsonLines, Progress, LineFilter, Colour, Prefix]


def test_output_passes_through_all_processors(config: Path) -> None:
    settings = Settings(exclude=("no",), prefix="{stream}| ")
    messages: list[Message] = [OutputMessage(data="\x1b[31myes\x1b[0m\nno\n"), CompleteMessage()]
    for processor in settings.processors(ColourPolicy(0, cursor=False)):
        messages = [one for message in messages for one in processor(message)]  # type: ignore[operator, union-attr]  # plain ones
    assert [m.data for m in messages if isinstance(m, OutputMessage)] == ["stdout| yes\n"]


def test_options_add_to_filters_and_override_other_settings() -> None:
    settings = Settings(filter=("a",), prefix="> ", color="always").with_options(
        filter=["b"], prefix="", color="never"
    )
    assert (settings.filter, settings.prefix, settings.color) == (("a", "b"), "", "never")
    assert settings.with_options() == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filtre = []", "there is no setting 'filtre'; did you mean 'filter'?"),
        ('filter = "errors"', "`filter` is 'errors', but must be a list of texts, such as [\"errors\"]"),
        ("filter = [1]", "`filter` is (1,), but must be a list"),
        ('format = "jsn"', "`format` cannot be 'jsn'; did you mean 'json'?"),
        ("format = 1", "`format` is 1, but must be text"),
        ('color = "yes"', "`color` cannot be 'yes'"),
        ('color_scheme = "ligth"', "did you mean 'light'?"),
        ("progress = 1", "`progress` is 1, but must be true or false"),
        ("progress_every_seconds = -1", "must be a number, 0 or more"),
        ("progress_every_seconds = nan", "must be a number, 0 or more"),
        ('progress_libraries = ["tqmd"]', "`progress_libraries` cannot contain 'tqmd'; did you mean 'tqdm'?"),
        ("max_line_bytes = 1.5", "must be a whole number"),
        ("max_line_bytes = 0\nprefix = 'x'", "`max_line_bytes` is 0"),
        ("time_limit = 0\nfilter = ['x']", "`time_limit` is 0"),
        ('filter = ["("]', "'(' is not a regular expression"),
        ('prefix = "{sourc}"', "did you mean 'source'?"),
        ("filter = [", "is not TOML"),
        ("[filter]\na = 1", "`filter` is {'a': 1}, but must be a list"),
    ],
)
def test_invalid_settings_are_refused_with_the_file_and_the_way_out(
    config: Path, text: str, message: str
) -> None:
    config.write_text(text + "\n")
    with pytest.raises(UsageError) as caught:
        load_settings()
    assert str(config) in str(caught.value)
    assert message in str(caught.value)


def test_the_options_have_all_formats() -> None:
    assert tuple(FORMATS) == FORMAT_NAMES


def test_the_table_in_the_documents_has_every_setting() -> None:
    table = (Path(__file__).parents[2] / "docs" / "processors.md").read_text("utf-8")
    for setting in fields(Settings):
        assert f"| `{setting.name}` |" in table
        assert setting.metadata["help"]
