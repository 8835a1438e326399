"""Use cases of editors: publish, preview, note, correct, check, create a site.

They combine the packages below and return a result; they send no mail themselves and know no command line.
"""
