"""Fakes that replace real parts in tests, both of programs that use this package and of the package itself.

- :class:`FaultyDisk`: a disk that is full or fails, for spools.
- :class:`ModelHost`, with :class:`ModelLink`: a host without processes and disk, and links to it that can be
  cut at any byte, for clients. ``RemoteSession(ModelLink(host))`` is a session on it.
- :class:`BadNetwork`: a Unix socket that passes bytes on, cuts connections or goes silent, for real hosts.
- :class:`RecordingView`: a view that keeps its messages and can be made to lag, for writers.
"""

from __future__ import annotations

from .disk import FaultyDisk
from .model_host import ModelHost, ModelLink, ModelPeer, Record
from .network import BadNetwork
from .recording_view import RecordingView

__all__ = ("BadNetwork", "FaultyDisk", "ModelHost", "ModelLink", "ModelPeer", "Record", "RecordingView")
