"""What the tests share: loops and reactors, and what scenarios are written with."""
