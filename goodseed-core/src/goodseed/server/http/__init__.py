"""Sockets, limits, security and static files of the local server."""
