"""A view that keeps the messages that it receives, and can be made to lag."""

from __future__ import annotations

import asyncio

from ..runtime.messages import Message, OutputMessage

__all__ = ("RecordingView",)


class RecordingView:
    """A view in a program's event loop, such as the far side of a WebSocket: a sink for a `StreamWriter`.

    Attributes:
        messages: The messages so far, in order.
        may_take: The view takes messages while this event is set, as it is initially. Clear it to make the
            view lag.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.may_take = asyncio.Event()
        self.may_take.set()

    async def send_message(self, message: Message) -> None:
        """Take one message, once ``may_take`` is set."""
        await self.may_take.wait()
        self.messages.append(message)

    @property
    def text(self) -> str:
        """The text of all `output` messages so far."""
        return "".join(message.text for message in self.messages if isinstance(message, OutputMessage))
