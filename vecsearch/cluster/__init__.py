"""Several index folders as one: a collection, and the catalog of its shards."""
