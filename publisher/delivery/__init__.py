"""Deliver issues: audience, approval, claims, rate limits, sending, outcomes and bounces.

Every claim and retry reads the subscription state first. This package never renders an issue, and never subscribes anybody.
"""
