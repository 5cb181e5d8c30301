"""The magics: their options, where a cell runs, how it is started and waited for."""
