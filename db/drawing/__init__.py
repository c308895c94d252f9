"""Painted food: brushes, tables, props, dishes, and the menu of the sample pictures."""
