"""Results to look at: text, contact sheets, and the map of a collection."""
