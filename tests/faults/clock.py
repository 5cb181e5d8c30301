"""A clock that jumps, for the programs that a test starts: a library that the C compiler makes and ld.so loads."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ("jumping_clock",)

SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile long long *ahead;  /* seconds, in a file that all programs share */

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("JUMPING_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *memory = mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (memory != MAP_FAILED)
        ahead = memory;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && ahead && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *ahead;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    int failed = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *now) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now)
        *now = precise.tv_sec;
    return precise.tv_sec;
}
"""


@contextmanager
def jumping_clock(folder: Path) -> Iterator[Callable[[int], object] | None]:
    """Yield a function that sets the time of day of the programs that are started from now on.

    It takes the seconds by which they are ahead. The times of files and the monotonic clock stay right, as do
    the clocks of this process. Yields None if there is no C compiler.
    """
    library, offset = folder / "clock.so", folder / "clock"
    compiler = shutil.which("cc")
    if compiler is None:
        yield None
        return
    command = [compiler, "-shared", "-fPIC", "-O", "-x", "c", "-", "-o", str(library)]
    subprocess.run(command, input=SOURCE, text=True, check=True)
    offset.write_bytes(bytes(8))
    changes = {"LD_PRELOAD": str(library), "JUMPING_CLOCK": str(offset)}
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        with open(offset, "r+b", buffering=0) as file:
            yield lambda seconds: os.pwrite(file.fileno(), struct.pack("q", seconds), 0)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
