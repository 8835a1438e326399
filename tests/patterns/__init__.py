"""A static checker of regular expressions: none may backtrack super-linearly on untrusted text."""
