"""Serves the dashboard to those who have signed in."""
