"""The live output area: what an execution shows, what its pages are told of it, and the record it leaves."""
