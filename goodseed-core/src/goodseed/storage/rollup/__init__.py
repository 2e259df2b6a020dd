"""The one engine of buckets: for charts, Python and both HTTP APIs, of nodes that are computed, kept and renewed."""
