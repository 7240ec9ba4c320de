"""Stage 1: run a step once and record its events, which are kernel launches and calls back into Python."""
