"""FAISS over arrays: making an inner-product index, keeping it as bytes, searching it."""
