"""Copies of pictures: found, put in groups around the best one, moved aside and back."""
