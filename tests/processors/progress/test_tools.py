"""Bars of command line tools: recordings of real tools, bars of other versions, and other text."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support import recordings

from pyrepl_stream.processors.progress import curl, docker, git, npm, pip, rsync, wget
from pyrepl_stream.processors.progress.bar import Bar, BarFormat

LIBRARIES = [*(tool.LIBRARY for tool in (pip, curl, wget, rsync, git, npm, docker)), wget.DOTS]
BY_RECORDING = {
    "pip": pip.LIBRARY,
    "pip-dumb": pip.LIBRARY,
    "pip-ascii": pip.LIBRARY,
    "pip-unknown": pip.LIBRARY,
    "pip-install": pip.LIBRARY,
    "curl": curl.LIBRARY,
    "curl-bar": curl.LIBRARY,
    "curl-unknown": curl.LIBRARY,
    "curl-bar-unknown": curl.LIBRARY,
    "wget": wget.LIBRARY,
    "wget-eta": wget.LIBRARY,
    "wget-unknown": wget.LIBRARY,
    "wget-dot": wget.DOTS,
    "rsync": rsync.LIBRARY,
    "rsync-human": rsync.LIBRARY,
    "rsync-total": rsync.LIBRARY,
    "git-clone": git.LIBRARY,
    "git-repack": git.LIBRARY,
    "npm": npm.LIBRARY,
    "npm-8": npm.LIBRARY,
    "npm-8-ascii": npm.LIBRARY,
    "docker": docker.LIBRARY,
    "docker-narrow": docker.LIBRARY,
}


SLOW = pytest.approx(250_000, rel=0.05)  # what the server sends in a second


def lines(name: str) -> Iterator[str]:
    """Return each line that a recording draws, without colours; a line ends where the cursor leaves it."""
    for line in re.split(r"[\r\n]|\x1b\[[0-9;?]*[A-LN-ln-z]", recordings.read(name)):
        if line := re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip():
            yield line


def bars(name: str) -> list[Bar]:
    return [bar for line in lines(name) if (bar := BY_RECORDING[name].parse(line))]


def texts(name: str) -> list[str]:
    """Return the lines of a recording that are not bars."""
    return [line for line in lines(name) if not BY_RECORDING[name].parse(line)]


def check_cuts(library: BarFormat, line: str) -> None:
    whole = library.parse(line)
    for end in range(len(line)):
        cut = library.parse(line[:end].rstrip())
        if cut is None or re.fullmatch(r".*ing [^:]+: [0-9]+", line[:end]):
            continue  # a number at the end of git's line can always be the start of a longer one
        if library is rsync.LIBRARY:
            cut = replace(cut, remaining=None)  # what follows says whether the time is left, or was taken
        assert whole is not None, line[:end]
        assert cut.description == whole.description, line[:end]
        for value in ("current", "total", "percentage", "rate", "remaining", "finished"):
            assert getattr(cut, value) in (None, False, getattr(whole, value)), line[:end]


# -- recordings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_RECORDING)
def test_a_bar_is_known_by_its_own_tool_alone_and_has_its_hint(name: str) -> None:
    for line in lines(name):
        known = [library.name for library in LIBRARIES if library.parse(line)]
        assert known in ([], [BY_RECORDING[name].name]), line
        assert all(re.search(library.hint, line) for library in LIBRARIES if library.name in known), line


@pytest.mark.parametrize("name", BY_RECORDING)
def test_a_line_that_is_cut_says_nothing_wrong(name: str) -> None:
    for line in lines(name):
        check_cuts(BY_RECORDING[name], line)


@pytest.mark.parametrize("name", BY_RECORDING)
def test_numbers_only_rise_in_one_phase(name: str) -> None:
    highest: dict[tuple[str, float | None], float] = {}
    for bar in bars(name):
        if name.partition("-")[0] in ("rsync", "docker") or bar.percentage is None:
            continue  # several files on one line, several states of a layer
        key = (bar.description, None if bar.unit == "B" else bar.total)
        assert bar.percentage >= highest.get(key, 0)
        highest[key] = bar.percentage


@pytest.mark.parametrize("name", recordings.names())
def test_a_recording_says_what_was_run_and_not_where(name: str) -> None:
    header = recordings.header(name)
    assert re.fullmatch(r".+ \(.+ [0-9]+\.[0-9.]+.*\)", str(header["title"]))
    everything = f"{header['title']}\n{recordings.read(name)}"
    assert not re.search(r"/(?:home|root|tmp|usr|opt|var|work)\b|@", everything)
    assert set(re.findall(r"https?://([^/:\s]+)", everything)) <= {"127.0.0.1"}


def test_pip() -> None:
    first, *_, last = bars("pip")
    assert first == Bar(current=0, total=2.5e6, unit="B", percentage=0)
    assert last == Bar("", 2.5e6, 2.5e6, "B", 100, 988400, elapsed=2, finished=True)
    assert Bar("", 5e5, 2.5e6, "B", 20, 996400, remaining=2) in bars("pip")
    assert bars("pip-dumb") == [Bar("", 2.5e6, 2.5e6, "B", 100, 988700, elapsed=2, finished=True)]
    assert texts("pip")[1:3] == ["Collecting made-up", "  Downloading made_up-1.0-py3-none-any.whl (2.5 MB)"]


def test_pip_in_ascii_shows_the_same() -> None:
    first, *others, last = bars("pip-ascii")
    assert first == Bar(current=0, total=2.5e6, unit="B", percentage=0)
    assert last.finished and last.percentage == 100
    assert {bar.total for bar in others} == {2.5e6}
    assert texts("pip-ascii")[3:] == [
        "Saved ./made_up-1.0-py3-none-any.whl",
        "Successfully downloaded made-up",
    ]


def test_pip_without_a_length() -> None:
    first, *_, last = bars("pip-unknown")
    assert first == Bar(current=0, unit="B", elapsed=0)
    assert last == Bar(current=2.5e6, unit="B", rate=last.rate, elapsed=2)
    assert last.rate == pytest.approx(1e6, rel=0.05)


def test_pip_names_the_package_that_it_installs() -> None:
    assert all(bar.total == 3 and bar.description.startswith("made-up-") for bar in bars("pip-install"))
    assert bars("pip-install")
    assert texts("pip-install")[-1].startswith("Successfully installed made-up-1-1.0 made-up-2-1.0")


def test_the_meter_of_curl() -> None:
    total = 683 * 1024  # of 700,000: it is shown in whole units
    first, *between, last = bars("curl")
    assert first == Bar(current=0, unit="B", rate=0)
    assert all(bar.total == total and bar.remaining != 0 for bar in between)
    assert replace(last, rate=None) == Bar("", total, total, "B", 100, elapsed=2, finished=True)
    assert last.rate == SLOW
    assert len(texts("curl")) == 2


def test_the_meter_of_curl_without_a_length() -> None:
    *_, last = bars("curl-unknown")
    assert replace(last, rate=None) == Bar(current=683 * 1024, unit="B", elapsed=2)
    assert all(bar.total is None and bar.percentage is None for bar in bars("curl-unknown"))


def test_the_bar_of_curl() -> None:
    assert [bar.percentage for bar in bars("curl-bar")][:3] == [4.3, 7.9, 11.4]
    assert bars("curl-bar")[-1] == Bar(unit="B", percentage=100, finished=True)
    assert set(bars("curl-bar-unknown")) == {Bar(unit="B")}
    assert texts("curl-bar") == texts("curl-bar-unknown") == []


def test_the_bar_of_wget() -> None:
    first, second, *_, last = bars("wget")
    assert first == Bar("data.bin", 0, unit="B", percentage=0)
    assert second == Bar("data.bin", 53.71 * 1024, unit="B", percentage=7, rate=265 * 1024)
    assert last == Bar("data.bin", 683.59 * 1024, None, "B", 100, SLOW, elapsed=2.8, finished=True)
    assert texts("wget")[-1].endswith("‘data.bin’ saved [700000/700000]")


def test_the_bar_of_wget_shows_what_is_left_after_three_seconds() -> None:
    left = [bar.remaining for bar in bars("wget-eta") if bar.remaining is not None]
    assert left[0] == 1
    assert all(bar.rate == 150 * 1024 for bar in bars("wget-eta") if bar.remaining is not None)
    assert bars("wget-eta")[-1].elapsed == pytest.approx(4.5, abs=0.2)


def test_the_bar_of_wget_without_a_length() -> None:
    *others, last = bars("wget-unknown")
    assert last == Bar("data.bin", 683.59 * 1024, unit="B", rate=SLOW, elapsed=2.8, finished=True)
    assert all(bar.percentage is None and not bar.finished for bar in others)


def test_the_dots_of_wget() -> None:
    first, *others, last = bars("wget-dot")
    assert first == Bar("wget", 50 * 1024, unit="B", percentage=7, rate=246 * 1024, remaining=3)
    assert [bar.current for bar in others] == [kib * 1024 for kib in range(100, 651, 50)]
    assert last == Bar(
        "wget", 683 * 1024, unit="B", percentage=100, rate=276 * 1024, elapsed=2.8, finished=True
    )
    assert not wget.DOTS.redrawn  # each is printed once


def test_rsync() -> None:
    ends = [bar for bar in bars("rsync") if bar.finished]
    assert [(bar.current, bar.total, bar.elapsed) for bar in ends] == [
        (350_000, 350_000, 1),
        (400_000, 400_000, 1),
        (450_000, 450_000, 2),
    ]
    assert bars("rsync")[1] == Bar("", 294_912, None, "B", 84, 250.73 * 1024, remaining=0)


def test_rsync_writes_sizes_for_humans_in_units_of_1000() -> None:
    assert [bar.current for bar in bars("rsync-human") if bar.finished] == [350_000, 400_000, 450_000]


def test_rsync_of_all_files_is_finished_at_the_end() -> None:
    shown = bars("rsync-total")
    assert [bar.percentage for bar in shown] == [2, 24, 29, 51, 62, 73, 95, 100, 100]
    assert [bar.finished for bar in shown] == [False] * 7 + [True] * 2
    assert shown[2] == Bar("", 350_000, None, "B", 29, 269.86 * 1024, elapsed=1)


def test_git_clone() -> None:
    ends = [(bar.description, bar.current, bar.total, bar.unit) for bar in bars("git-clone") if bar.finished]
    assert ends == [
        ("remote: Enumerating objects", 24, None, "objects"),
        ("remote: Counting objects", 24, 24, "objects"),
        ("remote: Compressing objects", 24, 24, "objects"),
        ("Receiving objects", 24, 24, "objects"),
        ("Resolving deltas", 10, 10, "deltas"),
        ("Checking objects", 64, 64, "objects"),
        ("Updating files", 10, 10, "files"),
    ]
    assert texts("git-clone")[0] == "Cloning into 'copy'..."
    assert [line for line in texts("git-clone") if "Total" in line]  # the summary stays text


def test_git_repack() -> None:
    ends = [bar.description for bar in bars("git-repack") if bar.finished]
    assert ends == [
        "Enumerating objects",
        "Counting objects",
        "Compressing objects",
        "Writing objects",
        "Removing duplicate objects",
    ]


def test_npm() -> None:
    assert set(bars("npm")) == {Bar()}
    assert texts("npm")[0].startswith("added 3 packages")
    assert [bar.percentage for bar in bars("npm-8")][:2] == [0, 0]
    for name in ("npm-8", "npm-8-ascii"):
        assert bars(name)[-1] == Bar("reify:made-up-1", percentage=50)
        assert texts(name)[-1].startswith("added 3 packages")


@pytest.mark.parametrize("name", ["docker", "docker-narrow"])
def test_docker(name: str) -> None:
    layers = {bar.description: bar for bar in bars(name)}
    assert layers == {
        "d044f5c2f80d": Bar("d044f5c2f80d", finished=True),
        "47c6c4ef7b05": Bar("47c6c4ef7b05", finished=True),
    }
    assert sum(bar.finished for bar in bars(name)) == 2
    sizes = [bar for bar in bars(name) if bar.current is not None]
    assert sizes[0] == Bar("d044f5c2f80d", 5000, 400_300, "B", pytest.approx(1.249, abs=0.001))
    assert sizes[-1] == Bar("47c6c4ef7b05", 600_400, 600_400, "B", 100)
    assert texts(name)[:2] == ["Using default tag: latest", "latest: Pulling from made-up"]


# -- forms of other versions --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("library", "line", "bar"),
    [
        # pip: rich without colours, on a terminal that knows no other characters, no length, installation
        (
            pip.LIBRARY,
            "   ━━━━━━━━━━━╸                       12.3/45.6 MB 3.4 MB/s eta 0:01:10",
            Bar("", 12.3e6, 45.6e6, "B", 100 * 12.3 / 45.6, 3.4e6, remaining=70),
        ),
        (
            pip.LIBRARY,
            "     ---------------------------------- 262.1/900.9 kB 1.0 MB/s eta 0:00:01",
            Bar("", 262_100, 900_900, "B", 100 * 262.1 / 900.9, 1e6, remaining=1),
        ),
        (
            pip.LIBRARY,
            "     \\ 1.3 GB 11.2 MB/s 0:01:55",
            Bar("", 1.3e9, None, "B", None, 11.2e6, elapsed=115),
        ),
        (
            pip.LIBRARY,
            "   ━━━━━━━━━━╸━━━━━━━━━━━━━ 3/7 [some-name]",
            Bar("some-name", 3, 7, percentage=300 / 7),
        ),
        # pip 10 to 22.0, and pip 9 (its own class over the package `progress`)
        (
            pip.LIBRARY,
            "     |██████▎                         | 1.2 MB 3.4 MB/s eta 0:00:02",
            Bar("", 1.2e6, None, "B", None, 3.4e6, remaining=2),
        ),
        (
            pip.LIBRARY,
            "     |████████████████████████████████| 880 kB 3.4 MB/s",
            Bar("", 880e3, None, "B", 100, 3.4e6, finished=True),
        ),
        (
            pip.LIBRARY,
            "    10% |███▏    | 10kB 1.2MB/s eta 0:00:02",
            Bar("", 10e3, None, "B", 10, 1.2e6, remaining=2),
        ),
        # curl: an upload, long times (`time2str` to 8.17), and the columns since 8.18
        (
            curl.LIBRARY,
            "  1 97.6G    0     0    1 1.25G      0  2345k 12:07:31  0:09:18 11:58:13 2400k",
            Bar("", 1.25 * 1024**3, 97.6 * 1024**3, "B", 1, 2400 * 1024, elapsed=558, remaining=43093),
        ),
        (
            curl.LIBRARY,
            "  1 97.6G    0     0    1 1.25G      0  2345k 12:07:31  0:09:18 11:58:13 2400",
            None,  # the last column is five wide
        ),
        (
            curl.LIBRARY,
            "  0 4567G    0  123M    0     0   345k      0 160d 15h  0:06:05 160d 15h  340k",
            Bar(
                "",
                123 * 1024**2,
                4567 * 1024**3,
                "B",
                0,
                340 * 1024,
                elapsed=365,
                remaining=(160 * 24 + 15) * 3600,
            ),
        ),
        (
            curl.LIBRARY,
            "  0      0   0      0   0      0      0      0                              0",
            Bar(current=0, unit="B", rate=0),
        ),
        (
            curl.LIBRARY,
            " 29 15.02M  29  4.41M   0      0  4.41M      0   00:03           00:03  4.41M",
            Bar("", 4.41 * 1024**2, 15.02 * 1024**2, "B", 29, 4.41 * 1024**2, remaining=3),
        ),
        (
            curl.LIBRARY,
            "100 15.02M 100 15.02M   0      0 14.32M      0   00:01   00:01          4.41M",
            Bar("", 15.02 * 1024**2, 15.02 * 1024**2, "B", 100, 4.41 * 1024**2, elapsed=1, finished=True),
        ),
        # wget: long names, several minutes, a download that was continued, bits, before 1.16, and 1.9
        (
            wget.LIBRARY,
            "ome-very-long-name.t  12%[+++=>              ]   1.20G  --.-KB/s    eta 1h 5m",
            Bar("ome-very-long-name.t", 1.2 * 1024**3, None, "B", 12, remaining=3900),
        ),
        (
            wget.LIBRARY,
            "index.html              [ <=>                ]   1.23K  --.-KB/s    in 0s",
            Bar("index.html", 1.23 * 1024, unit="B", elapsed=0, finished=True),
        ),
        (
            wget.LIBRARY,
            "weird[1].iso         50%[=========>          ]  10,20M  1,25Mb/s    eta 3m 20s",
            Bar("weird[1].iso", 10.2 * 1024**2, None, "B", 50, 156_250, remaining=200),
        ),
        (
            wget.LIBRARY,
            "36% [=======>             ] 12,345,678  1.20M/s  eta 36m 51s",
            Bar("", 12_345_678, None, "B", 36, 1.2 * 1024**2, remaining=2211),
        ),
        (wget.LIBRARY, "100%[=======>] 1,024         --.--K/s", Bar("", 1024, None, "B", 100)),
        (
            wget.LIBRARY,
            "36% [=======>             ] 12,345,678   120.00K/s    ETA 01:12",
            Bar("", 12_345_678, None, "B", 36, 120 * 1024, remaining=72),
        ),
        # wget: dots of 64K, what was there before, and an unknown length
        (
            wget.DOTS,
            "  3072K ........ ........ ........ ........ ........ ........ 12% 2.10M 1m40s",
            Bar("wget", 3072 * 1024, None, "B", 12, 2.1 * 1024**2, remaining=100),
        ),
        (
            wget.DOTS,
            "   100K ,,,,,,,,,, ,,,,,..... .......... .......... .......... 75%  245K 1s",
            Bar("wget", 150 * 1024, None, "B", 75, 245 * 1024, remaining=1),
        ),
        (
            wget.DOTS,
            "   650K .......... ...                                          276K=2m8s",
            Bar("wget", 663 * 1024, unit="B", rate=276 * 1024, elapsed=128, finished=True),
        ),
        # rsync before 3.1, sizes of -h, other locales, no time
        (
            rsync.LIBRARY,
            "     1238099 100%  146.38kB/s    0:00:08 (xfer#5, to-check=169/396)",
            Bar("", 1238099, 1238099, "B", 100, 146.38 * 1024, elapsed=8, finished=True),
        ),
        (
            rsync.LIBRARY,
            "          1.24G  45%   12.06MB/s    0:02:13",
            Bar("", 1.24e9, None, "B", 45, 12.06 * 1024**2, remaining=133),
        ),
        (
            rsync.LIBRARY,
            "      1.238.099  12%  146,38kB/s   ??:??:??",
            Bar("", 1238099, None, "B", 12, 146.38 * 1024),
        ),
        (
            rsync.LIBRARY,
            "    110,592,000  52%  105.05MB/s    0:00:00 (xfr#7, ir-chk=1003/1204)",
            Bar("", 110_592_000, None, "B", 52, 105.05 * 1024**2, elapsed=0),
        ),
        # git: thin packs, narrow terminals, many objects, git-lfs, git rebase
        (
            git.LIBRARY,
            "Resolving deltas: 100% (12/12), completed with 3 local objects.",
            Bar("Resolving deltas", 12, 12, "deltas", 100, finished=True),
        ),
        (
            git.LIBRARY,
            "Receiving objects:  30% (300/1000), 1.20 MiB | 2.40 MiB/s",
            Bar("Receiving objects", 300, 1000, "objects", 30),
        ),
        (
            git.LIBRARY,
            "Receiving objects: 100% (3/3), 212 bytes | 212.00 KiB/s, done.",
            Bar("Receiving objects", 3, 3, "objects", 100, finished=True),
        ),
        (
            git.LIBRARY,
            "remote: Enumerating objects: 123456",
            Bar("remote: Enumerating objects", 123456, unit="objects"),
        ),
        (
            git.LIBRARY,
            "Expanding reachable commits in commit graph: 1234",
            Bar("Expanding reachable commits in commit graph", 1234, unit="commits"),
        ),
        (git.LIBRARY, "   39% (11/28), 252.00 KiB | 195.00 KiB/s", Bar("", 11, 28, percentage=1100 / 28)),
        (
            git.LIBRARY,
            "Downloading LFS objects:  50% (1/2), 12 MB | 1.2 MB/s",
            Bar("Downloading LFS objects", 1, 2, "objects", 50),
        ),
        (
            git.LIBRARY,
            "Filtering content:  50% (1/2), 12.00 MiB | 1.20 MiB/s",
            Bar("Filtering content", 1, 2, "", 50),
        ),
        (git.LIBRARY, "Rebasing (3/7)", Bar("Rebasing", 3, 7, "", 300 / 7)),
        # npm with other sections of the log (gauge's themes)
        (
            npm.LIBRARY,
            "[##########........] \\ fetchMetadata: sill resolveWithNewModule a@1.3.0",
            Bar("fetchMetadata", percentage=1000 / 18),
        ),
        (
            npm.LIBRARY,
            "(####⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂⠂) ⠼ idealTree: http fetch GET 200",
            Bar("idealTree", percentage=400 / 18),
        ),
        # docker: what is left, no total, other units, push, containerd, BuildKit, Compose
        (
            docker.LIBRARY,
            "d044f5c2f80d: Downloading [==========>    ]  12.34MB/45.6MB 1m2s",
            Bar("d044f5c2f80d", 12.34e6, 45.6e6, "B", 1234 / 45.6, remaining=62),
        ),
        (docker.LIBRARY, "d044f5c2f80d: Pushing  1.234kB", Bar("d044f5c2f80d", 1234, unit="B")),
        (docker.LIBRARY, "d044f5c2f80d: Extracting 3/10 files", Bar("d044f5c2f80d", 3, 10, "files", 30)),
        (docker.LIBRARY, "d044f5c2f80d: Extracting 4 s", Bar("d044f5c2f80d", elapsed=4)),
        (docker.LIBRARY, "d044f5c2f80d: Layer already exists", Bar("d044f5c2f80d", finished=True)),
        (docker.LIBRARY, "d044f5c2f80d: Mounted from library/debian", Bar("d044f5c2f80d", finished=True)),
        (docker.LIBRARY, "d044f5c2f80d: Retrying in 5 seconds", Bar("d044f5c2f80d")),
        (docker.LIBRARY, "[+] Building 1.2s (3/8)", Bar("Building", 3, 8, percentage=37.5, elapsed=1.2)),
        (
            docker.LIBRARY,
            "[+] Building 12.3s (8/8) FINISHED                          docker:default",
            Bar("Building", 8, 8, percentage=100, elapsed=12.3, finished=True),
        ),
        (docker.LIBRARY, "[+] Running 2/3", Bar("Running", 2, 3, percentage=200 / 3)),
        (
            docker.LIBRARY,
            " => => sha256:9c0abc9e 1.05MB / 29.13MB                             0.5s",
            Bar("sha256:9c0abc9e", 1.05e6, 29.13e6, "B", 105 / 29.13, elapsed=0.5),
        ),
        (
            docker.LIBRARY,
            " ⠋ 9c0abc32d4e6 Downloading [=====>     ]  12.3MB/45.6MB   0.5s",
            Bar("9c0abc32d4e6", 12.3e6, 45.6e6, "B", 1230 / 45.6, elapsed=0.5),
        ),
        (
            docker.LIBRARY,
            " ✔ 9c0abc32d4e6 Pull complete   3.4s",
            Bar("9c0abc32d4e6", elapsed=3.4, finished=True),
        ),
    ],
)
def test_a_form_of_another_version_is_known(library: BarFormat, line: str, bar: Bar | None) -> None:
    parsed = library.parse(line)
    if parsed is None or bar is None:
        assert parsed is bar
        return
    numbers = ("current", "total", "percentage", "rate", "elapsed", "remaining")
    rough = {name: pytest.approx(value) for name in numbers if (value := getattr(bar, name)) is not None}
    assert parsed == replace(bar, **rough)
    assert re.search(library.hint, line)
    check_cuts(library, line)


# -- other text ---------------------------------------------------------------------------------

TEXT = """\
accuracy 93% on test
100%
50.0%
   93.0%
Epoch 3/10, loss 0.12
[ 50%] Building CXX object CMakeFiles/a.dir/b.cpp.o
[3/7] Linking target a
[=====] done
#include <stdio.h>
# a heading
#######
-----------
- - -
=== 12 passed in 0.5s ===
12 passed, 3 failed in 1.20s
main.c:12:3: error: expected ';' before '}' token
2026-11-21 08:15:41 INFO  worker 3: 12 of 50 done (24%)
2026-11-21 08:15:41 (242 KB/s) - 'data.bin' saved [700000/700000]
Length: 700000 (684K) [application/octet-stream]
| name | size | 12 MB |
|------|------|-------|
|      | 3.4 MB |
Filesystem      Size  Used Avail Use% Mounted on
tmpfs           3.2G  1.2M  3.2G   1% /run
total 12
-rw-r--r-- 1 nobody nobody 12345 Nov 21 08:15 data.bin
  12K data.bin
  12K  45%  3K
 100K 12M
  0     0    0     0
  1   2   3   4   5   6   7   8   9  10  11  12
Listening on port: 8080
Serving HTTP on port: 80
Number of objects: 12
Counting objects: 1
Counting objects:  10
Counting objects: 100
Warning: 3 files: 50% (1/2) of (3/4)
Receiving objects:  90% (1/28)
ratio: 50% (2/1)
remote: Total 28 (delta 12), reused 0 (delta 0), pack-reused 0
sent 1,200,504 bytes  received 73 bytes  218,286.73 bytes/sec
total size is 1,200,000  speedup is 1.00
abcdef012345: some message
abcdef012345: Downloading the file
d044f5c2f80d: Downloading 12/
[+] Building
[+] 3 passed
(1) - first: thing
[x] - todo: thing
[##] / short: bar
-
/
|
speed 3.4 MB/s eta unknown
12.3/45.6 MB
━━━━━━━━━━━━━━━━━━━━━━━━━━
Progress is slow today
"""


@pytest.mark.parametrize("line", TEXT.splitlines())
def test_other_text_is_not_a_bar(line: str) -> None:
    assert [library.name for library in LIBRARIES if library.parse(line)] == []


PARTS = (
    *"0 #[]=-.|:%/?(,K⠂━█",
    "0 ",
    "# ",
    "- ",
    "-=",
    "0%",
    "0%|",
    "1,",
    "1:",
    "1/",
    "a ",
    "ing ",
    "ing a: ",
    "0K ",
    "0K .",
    "[=",
    "0s ",
    "0B/",
)
STARTS = (
    "",
    " ",
    "-",
    "━━━━ ",
    "100% ",
    "Receiving objects: ",
    "Receiving objects: 100% (1/1), ",
    "remote: Counting ",
    "d044f5c2f80d: Downloading [",
    "d044f5c2f80d: Downloading ",
    "[+] Building 1s (1/1)",
    " ⠋ 9c0abc32d4e6 Downloading [",
    "[####......] - ",
    "[####......] - a: ",
    "data.bin 36%[===>  ",
    "data.bin 36%[===>] 12 ",
    "     0K ..........",
    "   294,912  84%  250.73kB/s ",
    "  |████ ",
    "#####",
)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_no_line_makes_a_parser_slow(library: BarFormat) -> None:
    """The lines are ten times as long as real ones, so that quadratic time would be many seconds."""
    hint = re.compile(library.hint)
    for start in STARTS:
        for part in PARTS:
            line = (start + part * 40_960)[:40_959] + "!"
            started = time.process_time()
            library.parse(line)
            hint.search(line)
            assert time.process_time() - started < 2, (start, part)
