"""Tables derived from the log, from which pages are read."""
