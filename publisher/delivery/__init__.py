"""Deliver issues: fix the audience, approve, claim, throttle, send, record outcomes and process bounces.

Every claim and retry reads the subscription state first. This package never renders an issue, and never subscribes anybody.
"""
