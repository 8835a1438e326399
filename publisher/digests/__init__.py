"""Compose, render, check and store the issues of newsletters.

It never chooses recipients and never sends mail.
"""
