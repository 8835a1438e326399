"""Reports: status, outbox, delivery history, statistics, clicks, upcoming runs, file permissions.

They read the database and change nothing, except that requests and clicks are counted here.
"""
