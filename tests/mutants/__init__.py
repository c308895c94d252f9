"""Mutants: one-line faults put into the package, to see whether the tests notice each of them."""
