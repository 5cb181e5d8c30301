"""The protocols between clients, hosts and workers: operations, requests, frames, marks, shared state."""

from __future__ import annotations

from .requests import CommandRequest, Request

__all__ = ("CommandRequest", "Request")
