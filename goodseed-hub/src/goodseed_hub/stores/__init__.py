"""Keeps the runs' data in run files or in PostgreSQL."""
