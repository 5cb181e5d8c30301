"""An imitation of an agent's command line that prints nothing and writes task files.

task_files_agent.py HOME ID TURNS SECONDS

Each turn takes SECONDS and rewrites the files of ``HOME/.cline/data/tasks/ID/``. After the last one it
neither writes nor exits.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

signal.signal(signal.SIGINT, lambda *_: sys.exit(130))  # silently
home, task, turns, seconds = sys.argv[1:]
folder = Path(home, ".cline", "data", "tasks", task)
folder.mkdir(parents=True)
messages: list[dict[str, object]] = []
for turn in range(1, int(turns) + 1):
    time.sleep(float(seconds))
    messages.append({"role": "assistant", "content": f"turn {turn}"})
    for name, content in (
        ("api_conversation_history.json", messages),
        ("ui_messages.json", [{"ts": turn, "say": message["content"]} for message in messages]),
        ("task_metadata.json", {"turns": turn}),
    ):
        whole = folder / f".{name}"
        whole.write_text(json.dumps(content))
        whole.rename(folder / name)
while True:
    time.sleep(1000)
