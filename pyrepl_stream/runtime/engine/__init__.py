"""Runs code, and carries its output to a journal. Standard library only, Python 3.9 or newer."""
