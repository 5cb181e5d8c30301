"""The far-end process that owns a session and outlives its clients. Standard library only, Python 3.9."""
