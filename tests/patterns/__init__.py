"""A static checker of regular expressions: none may backtrack more than linearly over outside text."""
