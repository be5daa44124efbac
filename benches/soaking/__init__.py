"""What `soak.py` runs: all kinds of work at the same time, for as long as is wanted."""
