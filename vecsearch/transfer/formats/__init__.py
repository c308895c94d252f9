"""Files of vectors and ids that other programs read and write: .npy, .parquet, lists of ids."""
