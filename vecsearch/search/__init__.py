"""Reading an index: a query -> its vector -> hits."""
