"""Where pictures stand on a map: arrays in, points out."""
