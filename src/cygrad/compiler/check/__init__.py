"""``compile(check=True)``: a program compared with eager mode, launch by launch."""
