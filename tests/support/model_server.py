"""A server that answers as the programming interfaces of models do: with ``pong``, or 401 for a wrong key."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WRONG_KEY = "wrong-key"


def _stream(*events: dict[str, Any]) -> str:
    """Return server-sent events."""
    return "".join(
        (f"event: {event['type']}\n" if "type" in event else "") + f"data: {json.dumps(event)}\n\n"
        for event in events
    )


_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "some-model",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 5, "output_tokens": 1},
}
_CHUNK = {"id": "chat_1", "object": "chat.completion.chunk", "created": 1, "model": "some-model"}
_ITEM = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "pong"}],
}
_ANSWERS = {
    "/messages": _stream(  # Anthropic
        {"type": "message_start", "message": _MESSAGE},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "pong"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 2},
        },
        {"type": "message_stop"},
    ),
    "/responses": _stream(  # OpenAI
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.output_item.done", "output_index": 0, "item": _ITEM},
        {
            "type": "response.completed",
            "response": {
                "id": "resp_1",
                "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
            },
        },
    ),
    "/chat/completions": _stream(  # OpenAI's older one, which many other services have
        {**_CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "pong"}}]},
        {**_CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    )
    + "data: [DONE]\n\n",
    ":streamGenerateContent": _stream(  # Google
        {
            "candidates": [
                {
                    "content": {"role": "model", "parts": [{"text": "pong"}]},
                    "finishReason": "STOP",
                    "index": 0,
                }
            ],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7},
        }
    ),
}
_ERROR = {"type": "authentication_error", "message": "the key is wrong", "code": 401}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        known = [answer for part, answer in _ANSWERS.items() if part in self.path]
        if WRONG_KEY in str(self.headers):
            self._answer(401, "application/json", json.dumps({"error": _ERROR}))
        elif known:
            self._answer(200, "text/event-stream", known[0])
        else:
            self._answer(404, "application/json", "{}")

    def do_GET(self) -> None:
        self._answer(404, "application/json", "{}")

    def _answer(self, status: int, content_type: str, text: str) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: Any) -> None:
        """Write no log."""


@contextmanager
def model_server() -> Iterator[str]:
    """Run the server; the value is its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
