"""Makes runs of files that other tools have written; one module a source."""
