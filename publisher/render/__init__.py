"""Articles and a definition → bytes. Nothing here reads a clock, a socket or the store."""
