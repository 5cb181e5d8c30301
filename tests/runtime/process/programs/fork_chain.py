"""fork_chain.py HOPS (fork|setsid|exec): every 5 ms, the process forks and exits, and its child goes on.

With ``setsid`` each child also gets a session of its own, with ``exec`` it also executes the interpreter
again. With ``fork`` and ``setsid`` it ignores SIGINT and SIGTERM. The last process creates a file
``finished``, which shows that the chain was not ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time

hops, kind = int(sys.argv[1]), sys.argv[2]
folder = os.environ["HIDING_FOLDER"]
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
open(os.path.join(folder, "chain"), "w").close()
while hops:
    time.sleep(0.005)
    if os.fork():
        os._exit(0)
    hops -= 1
    if kind != "fork":
        os.setsid()
    if kind == "exec":
        os.execv(sys.executable, [sys.executable, "-I", "-S", sys.argv[0], str(hops), kind, *sys.argv[3:]])
open(os.path.join(folder, "finished"), "w").close()
