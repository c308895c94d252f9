"""Writing an index: what to do (plan), doing it (run)."""
