"""Trials of durability: each breaks something thousands of times and compares all that is left."""
