"""The live area: the output of an execution in a notebook page, and the record that stays in the notebook."""
