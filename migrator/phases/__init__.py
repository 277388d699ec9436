"""One module a state: each does the I/O that leads an alias into it."""
