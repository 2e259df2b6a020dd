"""Serves a directory of runs: the JSON API and the dashboard."""
