"""Record real progress bars: ``python tests/processors/progress/record.py [NAME ...]``.

Each command runs on a terminal, with our own ``run_process``, in an empty directory; its output is written to
``recordings/NAME.cast`` (asciicast version 2; a line feed is one character, as ``run_process`` gives it).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from importlib.metadata import version as installed
from pathlib import Path

from programs import tools

from pyrepl_stream import run_process
from pyrepl_stream.runtime.messages import OutputMessage

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
TERM = "xterm-256color"


@dataclass(frozen=True)
class Recording:
    """A command to record and its purpose.

    ``command`` is for the shell, without paths; ``PROGRAM.py ...`` runs a file of ``programs`` with this
    Python, ``python`` is this Python. ``version`` is a command that prints the tool's version, or the name of an
    installed distribution. ``size``: rows, columns. ``prepare`` is a context manager that prepares the directory and may
    run a server.
    """

    command: str
    shows: str
    version: str
    size: tuple[int, int] = (24, 80)
    env: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], AbstractContextManager[None]] = lambda directory: nullcontext(None)


URL = f"http://127.0.0.1:{tools.PORT}"
PIP = Recording(
    f"python -m pip download --no-deps --no-cache-dir --index-url {URL}/simple made-up",
    "",
    "pip",
    prepare=tools.wheel,
    env={"PIP_CONFIG_FILE": "/dev/null", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"},
)
CURL = Recording("", "", "curl --version", prepare=tools.data_file)
WGET = replace(CURL, version="wget --version")
RSYNC = Recording("", "", "rsync --version", prepare=tools.files)
DOCKER = Recording(
    f"docker pull 127.0.0.1:{tools.PORT}/made-up",
    "",
    "docker --version",
    prepare=tools.image,
    env={"DOCKER_HOST": os.environ.get("DOCKER_HOST", "")},
)
NPM_8 = Recording(
    f"npm install --no-audit --no-fund --no-update-notifier --registry {URL}",
    "the bar of older ones: `npm install --prefix DIRECTORY npm@8`, and DIRECTORY in NPM_8",
    "npm --version",
    prepare=tools.node_packages,
    env={"PATH": f"{os.environ.get('NPM_8', '')}/node_modules/.bin:{tools.PATH}"},
)

RECORDINGS: dict[str, Recording] = {
    "pip": replace(PIP, shows="the bar of a download, in colours"),
    "pip-dumb": replace(
        PIP, shows="the same on a terminal without cursor movements", env={**PIP.env, "TERM": "dumb"}
    ),
    "pip-ascii": replace(
        PIP,
        shows="the same where the encoding has no other characters, without colours",
        env={**PIP.env, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PIP_NO_COLOR": "1"},
    ),
    "pip-unknown": replace(PIP, shows="a length that is not known", prepare=tools.wheel_of_unknown_size),
    "pip-install": replace(
        PIP,
        command=f"python -m pip install --no-cache-dir --no-deps --target site --index-url {URL}/simple"
        " made-up-1 made-up-2 made-up-3",
        shows="the bar of an installation, which is cleared at the end",
        prepare=tools.many_wheels,
    ),
    "curl": replace(CURL, command=f"curl -O {URL}/data.bin", shows="the meter"),
    "curl-bar": replace(CURL, command=f"curl -# -O {URL}/data.bin", shows="`-#`", size=(24, 50)),
    "curl-unknown": replace(
        CURL, command=f"curl -O {URL}/unknown/data.bin", shows="the meter without a length"
    ),
    "curl-bar-unknown": replace(
        CURL, command=f"curl -# -O {URL}/unknown/data.bin", shows="`-#` without a length", size=(24, 50)
    ),
    "wget": replace(WGET, command=f"wget {URL}/data.bin", shows="the bar"),
    "wget-eta": replace(
        WGET, command=f"wget --limit-rate=150k {URL}/data.bin", shows="the bar, for longer than 3 seconds"
    ),
    "wget-unknown": replace(WGET, command=f"wget {URL}/unknown/data.bin", shows="the bar without a length"),
    "wget-dot": replace(WGET, command=f"wget --progress=dot {URL}/data.bin", shows="dots"),
    "rsync": replace(
        RSYNC, command="rsync -a --progress --bwlimit=250 source/ copy/", shows="a line for each file"
    ),
    "rsync-human": replace(
        RSYNC, command="rsync -ah --progress --bwlimit=250 source/ copy/", shows="sizes for humans"
    ),
    "rsync-total": replace(
        RSYNC, command="rsync -a --info=progress2 --bwlimit=250 source/ copy/", shows="one line for all files"
    ),
    "git-clone": Recording(
        'git clone --progress -u ./slow "file://$PWD/source" copy',
        "all phases of a clone, those of the other side as well",
        "git --version",
        prepare=tools.repository,
        env={"GIT_PROGRESS_DELAY": "0", "GIT_CONFIG_NOSYSTEM": "1"},
    ),
    "git-repack": Recording(
        "git -C source repack -a -d -f",
        "the phases of work on this side",
        "git --version",
        prepare=tools.repository,
        env={"GIT_PROGRESS_DELAY": "0", "GIT_CONFIG_NOSYSTEM": "1"},
    ),
    "npm": Recording(
        f"npm install --no-audit --no-fund --no-update-notifier --registry {URL}",
        "the spinner",
        "npm --version",
        prepare=tools.node_packages,
    ),
    "npm-8": NPM_8,
    "npm-8-ascii": replace(NPM_8, shows="the same in ASCII", env={**NPM_8.env, "LC_ALL": "C"}),
    "docker": replace(DOCKER, shows="two layers on a wide terminal", size=(24, 120)),
    "docker-narrow": replace(DOCKER, shows="the same where there is no room for bars"),
}

# Libraries: each a program of its own.
RECORDINGS |= {
    "tqdm-nested": Recording("tqdm_nested.py", "inner bars that go, and printed lines", "tqdm"),
    "tqdm-forms": Recording("tqdm_forms.py", "units, no total, descriptions, inner bars that stay", "tqdm"),
    "rich-tasks": Recording("rich_tasks.py", "three tasks, one removed, and a line above them", "rich"),
    "rich-download": Recording("rich_download.py", "the columns of a download", "rich"),
    "progressbar2": Recording("progressbar2_bars.py", "with a length, for bytes, without", "progressbar2"),
    "click": Recording("click_bars.py", "with a label, without a length, with positions", "click"),
    "percentages": Recording("percentages.py", "percentages that nobody knows", "python3 --version"),
}


async def record(name: str, recording: Recording) -> int:
    """Write the file, and return the number of characters of output."""
    with tempfile.TemporaryDirectory() as home:
        work = Path(home) / "work"  # some tools show its name
        work.mkdir()
        env: dict[str, str | None] = dict.fromkeys(filter(_is_setting, os.environ))
        env |= {"TERM": TERM, "LC_ALL": "C.UTF-8", "HOME": home, "PATH": tools.PATH, "NO_PROXY": "127.0.0.1"}
        env |= recording.env
        with recording.prepare(work):
            line = _line(recording.command)
            run = run_process(line, size=recording.size, cwd=work, env=env, stdin="", timeout=120)
            outputs = [message async for message in run if isinstance(message, OutputMessage)]
    start = outputs[0].timestamp
    header = {
        "version": 2,
        "width": recording.size[1],
        "height": recording.size[0],
        "timestamp": int(start),
        "title": f"{recording.command} ({_version(recording)})",
        "env": {"TERM": recording.env.get("TERM", TERM)},
    }
    lines = [json.dumps(header)]
    lines += [
        json.dumps([round(message.timestamp - start, 3), "o", message.text], ensure_ascii=False)
        for message in outputs
    ]
    (HERE / "recordings" / f"{name}.cast").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sum(len(message.text) for message in outputs)


def _is_setting(name: str) -> bool:
    """Return True for a variable of this machine's settings, which would change the output."""
    return name.lower().startswith(("pip_", "npm_", "git_", "docker_"))


def _line(command: str) -> str:
    program, _, rest = command.partition(" ")
    if program == "python":
        return f"{sys.executable} {rest}"
    if program.endswith(".py"):
        return f"{sys.executable} {PROGRAMS / program} {rest}"
    return command


def _version(recording: Recording) -> str:
    source = recording.version
    if " " not in source:
        return f"{source} {installed(source)}"
    env = {"PATH": tools.PATH, **recording.env}
    shown = subprocess.run(source, shell=True, capture_output=True, text=True, check=True, env=env).stdout
    found = re.search(r"\d+(?:\.\d+)+", shown)
    return f"{source.split()[0]} {found[0] if found else shown.strip()}"


if __name__ == "__main__":
    for chosen in sys.argv[1:] or RECORDINGS:
        print(f"{chosen}: {asyncio.run(record(chosen, RECORDINGS[chosen]))} characters")
