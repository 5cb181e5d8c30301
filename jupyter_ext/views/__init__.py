"""Renderers of messages, and the loop that feeds them."""
