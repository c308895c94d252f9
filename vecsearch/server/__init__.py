"""HTTP: indexes are queried by programs and in a browser; see `vecsearch.server.serve`."""
