"""Spools: the journal of one execution on disk, with one writer and any number of readers.

The execution's directory holds segments of messages (``segments.py``), ``status.json``, ``request.json``
(what was requested), and ``closed`` once no more messages can be appended. After segments have been
removed, ``trimmed.json`` says which ones, and ``kept.ndjson`` holds the messages in them that are never
dropped, with gaps between these. The files ``*.reserve`` reserve disk blocks, so that the end of an execution
can be written on a full disk.

The writer is one thread. Appended messages wait in memory until :meth:`Spool.commit` writes them; readers
see them after the write has returned. Messages that cannot be written are replaced by a gap.
"""
