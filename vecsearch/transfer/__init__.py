"""Vectors that come from elsewhere or go there: import, export, merge."""
