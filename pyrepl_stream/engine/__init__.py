"""What runs code and carries what it writes to a journal. Standard library only, Python 3.9."""
