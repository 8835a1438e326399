"""Text and HTML as pure functions. Never reads a file, a socket or a clock."""
