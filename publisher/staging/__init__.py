"""Write files atomically if they changed, compress them, and open files below a folder safely.

It never decides which files a site has, and never uses the database.
"""
