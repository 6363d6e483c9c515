"""Many threads in one place: load, decide, append, read."""
