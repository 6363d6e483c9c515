"""What one reader sees of a thread: pure."""
