"""Keeps users, keys, roles, projects and the list of runs, in SQLite or PostgreSQL."""
