"""How good an index is by the labels of its images."""
