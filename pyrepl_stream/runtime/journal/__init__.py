"""Journals: in memory (``memory``), and on disk as a spool (``spool``)."""
