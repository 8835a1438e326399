"""Worker processes: a pool for parallel work, and processes with CPU and memory limits for parsers.

They run functions by name and return results; they never open the database.
"""
