"""Stage 5: check the guards of a program, copy its inputs in, run its launches in C and hand out its results."""
