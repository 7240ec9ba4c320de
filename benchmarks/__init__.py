"""cygrad and other libraries on the same work, in interleaved runs: see README.md in this folder."""
