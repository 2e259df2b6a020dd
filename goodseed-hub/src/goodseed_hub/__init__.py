"""A self-hosted remote for teams: the wire protocol, and the dashboard over all runs."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.5.0"
