"""What is on disk: a catalog in SQLite, which alone commits, and write-once files beside it."""
