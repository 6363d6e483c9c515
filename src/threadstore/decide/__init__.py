"""From a command to events, or to a rejection that says why not: pure."""
