"""The hub over HTTP: the wire protocol, the admin's API, and the dashboard."""
