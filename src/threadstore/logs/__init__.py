"""Where events live: the port, and the logs that come with the library."""
