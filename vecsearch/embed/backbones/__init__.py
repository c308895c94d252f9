"""The networks that can be cut: a file each, and the registry that lists them."""
