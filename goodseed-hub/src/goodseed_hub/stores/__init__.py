"""Where the runs' data is kept: in run files, or in PostgreSQL."""
