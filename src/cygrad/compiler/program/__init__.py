"""Stage 4: the events that the passes left, as a program with guards, inputs, results and a schedule."""
