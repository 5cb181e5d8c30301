"""``%load_ext jupyter_ext`` changes nothing that a plain cell can observe, except the names that it adds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.kernels import Kernel

pytestmark = pytest.mark.kernel

# Runs in a plain cell, and prints everything that a cell or a library may look at.
OBSERVE = r"""
def _observe():
    import asyncio, builtins, concurrent.futures, getpass, importlib, json, logging, multiprocessing.pool
    import io, os, signal, sys, threading, traceback, types, warnings
    from IPython import get_ipython
    shell = get_ipython()
    kernel = shell.kernel
    seen = {}

    def name(value):
        if isinstance(value, types.MethodType):
            return f"{name(value.__func__)} of {type(value.__self__).__name__}"
        code = getattr(value, "__code__", None)
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}" + (
            f" {code.co_filename}" if code else "")

    def fileno(stream):
        try:
            return type(stream.fileno()).__name__
        except Exception as exc:
            return repr(exc)

    def attributes(value):
        return {key: name(part) for key, part in vars(value).items() if callable(part)}

    for stream in ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"):
        value = getattr(sys, stream)
        seen[f"sys.{stream}"] = {
            "type": f"{type(value).__module__}.{type(value).__qualname__}",
            "class": f"{value.__class__.__module__}.{value.__class__.__qualname__}",
            "names": sorted(dir(value)),
            "encoding": value.encoding, "errors": value.errors, "isatty": value.isatty(),
            "writable": value.writable(), "fileno": fileno(value),
            "text": isinstance(value, io.TextIOBase), "repr": repr(value).split(" at ")[0].split("=")[0],
        }
    for owner, names in {
        sys: "excepthook displayhook breakpointhook unraisablehook ps1 ps2 path_hooks meta_path flags".split(),
        threading: ["excepthook", "settrace", "Thread", "Timer"],
        builtins: "input print open exit quit display __import__ breakpoint help".split(),
        getpass: ["getpass"],
        warnings: ["showwarning", "warn", "filters"],
        traceback: ["print_exc", "print_exception"],
        os: ["fork", "system", "write", "kill"],
    }.items():
        for key in names:
            value = getattr(owner, key, None)
            seen[f"{owner.__name__}.{key}"] = name(value) if callable(value) else repr(value)
    for owner in (
        threading.Thread, threading.Timer, concurrent.futures.ThreadPoolExecutor, asyncio.BaseEventLoop,
        asyncio.Task, logging.Logger, logging.Handler, logging.StreamHandler, multiprocessing.pool.ThreadPool,
        type(shell), type(kernel), type(sys.stdout),
    ):
        seen[owner.__qualname__] = attributes(owner)
    seen["instances"] = {
        key: sorted(vars(value)) for key, value in {
            "display_pub": shell.display_pub, "displayhook": shell.displayhook, "shell": shell,
        }.items()
    }
    seen["kernel"] = sorted(vars(kernel))
    for module in (builtins, sys, threading, asyncio, logging, getpass, signal):
        seen[f"names of {module.__name__}"] = sorted(key for key in vars(module) if key != "last_exc" and "last_" not in key)
    seen["main"] = (sys.modules["__main__"] is shell.user_module, type(sys.modules["__main__"]).__name__,
                    vars(sys.modules["__main__"]) is globals(), __name__)
    seen["policy"] = name(asyncio.get_event_loop_policy())
    seen["loop"] = name(asyncio.get_running_loop())
    seen["signals"] = {str(number): name(signal.getsignal(number)) for number in sorted(signal.valid_signals())}
    seen["wakeup"] = signal.set_wakeup_fd(signal.set_wakeup_fd(-1)) >= 0
    root = logging.getLogger()
    seen["logging"] = ([name(handler) for handler in root.handlers], root.level, name(logging.getLoggerClass()))
    seen["events"] = {event: [name(one) for one in found] for event, found in shell.events.callbacks.items()}
    seen["transformers"] = {
        key: [name(one) for one in getattr(shell.input_transformer_manager, key)]
        for key in ("line_transforms", "token_transformers")
    }
    seen["post"] = [name(one) for one in shell.input_transformers_post]
    seen["cleanup"] = [name(one) for one in shell.input_transformers_cleanup]
    seen["ast"] = [name(one) for one in shell.ast_transformers]
    seen["magics"] = {kind: sorted(found) for kind, found in shell.magics_manager.lsmagic().items()}
    seen["configurables"] = sorted({name(one) for one in shell.configurables})
    seen["user_ns"] = sorted(key for key in globals() if key.strip("_i").strip("0123456789"))
    seen["colours"] = (shell.colors, shell.xmode)
    seen["environment"] = sorted(os.environ)
    seen["tracing"] = (sys.gettrace() is None, sys.getprofile() is None, threading.gettrace() is None)
    seen["cwd"] = os.getcwd()
    seen["path"] = sys.path
    print(json.dumps(seen))

_observe()
"""

# What the extension adds, and one change for which there is a reason in `messaging/parent_header.py`.
ADDED: dict[str, Any] = {
    "post": ["jupyter_ext.magic.transform.AwaitTransform"],
    "cleanup": ["jupyter_ext.magic.transform.CommentHint"],
    "configurables": [
        "jupyter_ext.magic.cell_magic.RemoteStreamMagics",
        "jupyter_ext.magic.configuration.RemoteStream",
        "IPython.core.magics.extension.ExtensionMagics",  # added by the first `%load_ext` of anything
    ],
    "kernel": ["post_handler_hook", "pre_handler_hook"],
}


def observed(kernel: Kernel) -> dict[str, Any]:
    """Return what a plain cell observes."""
    cell = kernel.run(OBSERVE)
    assert cell.ok, cell.traceback
    found: dict[str, Any] = json.loads(cell.text())
    return found


def without_added(found: dict[str, Any]) -> dict[str, Any]:
    """Return ``found`` without the names that the extension adds."""
    for key, names in ADDED.items():
        found[key] = [name for name in found[key] if name not in names]
    for kind in ("line", "cell"):
        found["magics"][kind] = [name for name in found["magics"][kind] if name != "remote_stream"]
    return found


@pytest.mark.parametrize("target", ["", "thread:", "local:"])
def test_a_plain_cell_observes_only_the_names_that_are_added(fresh_kernel: Kernel, target: str) -> None:
    fresh_kernel.run("1 + 1")
    before = without_added(observed(fresh_kernel))
    assert fresh_kernel.run("%load_ext jupyter_ext").ok
    if target:
        code = "import threading\nt = threading.Thread(target=print, args=(1,)); t.start(); t.join()\ndel t, threading\n{}"
        for end in ("2 + 2", "await __import__('asyncio').sleep(0)", "1/0"):
            fresh_kernel.run(f"%%remote_stream {target} --no-raise\n" + code.format(end))
    after = without_added(observed(fresh_kernel))
    differing = [f"{key}: {before[key]}\n-> {after[key]}" for key in before if before[key] != after[key]]
    assert not differing, "\n".join(differing)
    assert before.keys() == after.keys()


def test_completions_gain_only_the_magic(fresh_kernel: Kernel) -> None:
    def completions(code: str) -> set[str]:
        return set(fresh_kernel.client.complete(code, reply=True, timeout=60)["content"]["matches"])

    texts = ("%", "%%", "re", "get_ipython().", "import sys; sys.stdout.")
    before = [completions(text) for text in texts]
    assert fresh_kernel.run("%load_ext jupyter_ext").ok
    fresh_kernel.run("%%remote_stream thread:\n1")
    after = [completions(text) for text in texts]
    added = set().union(*(late - early for early, late in zip(before, after, strict=True)))
    assert added <= {"%remote_stream", "%%remote_stream", "_1", "_2", "_3"}
    assert all(early <= late for early, late in zip(before, after, strict=True))


def test_who_shows_nothing_of_the_extension(fresh_kernel: Kernel) -> None:
    assert fresh_kernel.run("%load_ext jupyter_ext").ok
    fresh_kernel.run("%%remote_stream thread:\nmine = 1")
    fresh_kernel.run("%%remote_stream thread:other\nhere = 1")
    assert fresh_kernel.run("%who").text().split() == ["mine"]
    assert fresh_kernel.run("%%remote_stream thread:other\n%who").text().split() == ["here"]
