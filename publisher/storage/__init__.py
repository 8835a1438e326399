"""The database: engine, tables, migrations, locks, bulk writes, the job queue.

The package creates and upgrades the schema and gives transactions. It never knows what the rows mean: the
queries are beside their subjects.
"""
