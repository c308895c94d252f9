"""Where pictures come from: a folder, a tar, a list, URLs."""
