"""Reports: status, outbox, delivery history, statistics, upcoming runs, permissions.

They read the database and change nothing, except that requests and clicks are counted here.
"""
