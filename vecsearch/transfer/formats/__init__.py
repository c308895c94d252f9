"""Files of vectors and ids that other programs write and read: .npy, .parquet, lists of ids."""
