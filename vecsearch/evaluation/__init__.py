"""How good an index is: its recall and speed, and its quality by labels of its images."""
