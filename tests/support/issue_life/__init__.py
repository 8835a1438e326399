"""A model of the life of issues, the random steps of its test, and the site that both are compared with."""
