"""Stage 2: the recorded events with the arrays that each one reads and writes, for passes to change."""
