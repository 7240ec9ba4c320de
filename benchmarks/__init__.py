"""cygrad and its peers on the same work, turn by turn: see README.md in this folder."""
