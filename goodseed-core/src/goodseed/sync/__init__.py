"""Copies what a run file holds to the remote: never blocking, never losing."""
