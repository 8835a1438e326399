"""Articles: parse files into records, match records to stored articles, and query the articles in the database.

The package never decides in which feeds or issues an article appears, and never renders one.
"""
