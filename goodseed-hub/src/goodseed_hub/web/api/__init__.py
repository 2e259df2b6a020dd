"""Serves the wire protocol and the admin API, and describes both."""
