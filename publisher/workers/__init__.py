"""Worker processes: a pool for much work of one kind, and processes with limits for outside text."""
