"""What is done to an index that exists: remove, relocate, compact, reindex, verify, repair."""
