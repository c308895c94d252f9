"""The places of pictures on a map: arrays in, points out."""
