"""Dispatch of messages by their type."""

from __future__ import annotations

from pyrepl_stream import InputReplyMessage, InputRequestMessage, Message


class MessageHandler:
    """Passes each message to the method for its type, such as ``_on_output`` or ``_on_input_request``."""

    def take(self, message: Message) -> None:
        """Call the method for the type of the message, if there is one."""
        handler = getattr(self, "_on_" + message.type, None)
        if handler is not None:
            handler(message)


def dialogue(request: InputRequestMessage, reply: InputReplyMessage) -> str:
    """Return a question, unless the program has printed it, and its answer, as a terminal would show them."""
    prompt = "" if request.extra.get("printed") else request.prompt
    return f"{prompt}{'' if reply.text is None else reply.text}\n"
