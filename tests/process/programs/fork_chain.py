"""fork_chain.py HOPS (fork|setsid|exec): every 5 ms a child takes its parent's place, and the parent ends.

``setsid`` also gives each child a session of its own, ``exec`` also a new start of the interpreter. With
``fork`` and ``setsid`` the signals INT and TERM are ignored. The last one leaves a file ``finished``:
then nobody has ended the chain.
"""

from __future__ import annotations

import os
import signal
import sys
import time

hops, way = int(sys.argv[1]), sys.argv[2]
folder = os.environ["HIDING_FOLDER"]
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
open(os.path.join(folder, "chain"), "w").close()
while hops:
    time.sleep(0.005)
    if os.fork():
        os._exit(0)
    hops -= 1
    if way != "fork":
        os.setsid()
    if way == "exec":
        os.execv(sys.executable, [sys.executable, "-I", "-S", sys.argv[0], str(hops), way, *sys.argv[3:]])
open(os.path.join(folder, "finished"), "w").close()
