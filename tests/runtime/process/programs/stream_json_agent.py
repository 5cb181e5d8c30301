"""An imitation of an agent's command line that prints a JSON line for each event.

stream_json_agent.py [-p] [--output-format FORMAT] [--verbose]

It reads the prompt from standard input. It prints turn N when the file ``$AGENT_EVENTS/N`` exists, and
exits when ``end`` does. With AGENT_WITHOUT_VERBOSE it acts as an older version without ``--verbose``.
"""

from __future__ import annotations

import json
import os
import sys
import time


def emit(kind: str, **fields: object) -> None:
    print(json.dumps({"type": kind, **fields}))


def main(words: list[str]) -> int:
    known = {"-p", "--output-format", "stream-json"}
    if not os.environ.get("AGENT_WITHOUT_VERBOSE"):
        known.add("--verbose")
    for word in words:
        if word not in known:
            print(f"error: unknown option '{word}'", file=sys.stderr)
            return 1
    prompt = sys.stdin.read()
    emit("system", subtype="init", tools=["Bash", "Edit"], verbose="--verbose" in words)
    turn = 0
    while not os.path.exists(os.path.join(os.environ["AGENT_EVENTS"], "end")):
        path = os.path.join(os.environ["AGENT_EVENTS"], str(turn + 1))
        if not os.path.exists(path):
            time.sleep(0.005)
            continue
        turn += 1
        with open(path, encoding="utf-8") as file:
            emit("assistant", turn=turn, text=file.read())
    emit("result", subtype="success", turns=turn, prompt=prompt)
    return 0


sys.exit(main(sys.argv[1:]))
