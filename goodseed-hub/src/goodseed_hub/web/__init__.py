"""Serves the hub over HTTP: the wire protocol, the admin API and the dashboard."""
