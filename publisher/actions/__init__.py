"""The use cases, one verb a file. The only place where deciding meets doing."""
