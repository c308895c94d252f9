"""Building an index: scan, diff, read, embed, commit, compact."""
