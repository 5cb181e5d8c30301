"""Links, which carry bytes between clients and sessions: one module for each scheme of addresses."""
