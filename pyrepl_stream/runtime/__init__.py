"""The far end: everything that runs where a session is. Standard library only, Python 3.9 or newer.

The archive that other interpreters run is made from this folder; nothing in it imports anything outside it.
"""
