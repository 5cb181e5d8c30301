"""The child of a host in which user code runs. Standard library only, Python 3.9."""
