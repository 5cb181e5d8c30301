"""How bytes reach a session: one scheme of addresses, one module."""
