"""A package, so that a browser can be shared by its tests and be gone before those of other directories."""
