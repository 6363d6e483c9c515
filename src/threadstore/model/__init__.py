"""The facts of a thread, what they amount to, and who may do what: pure, without clock, chance or storage."""
