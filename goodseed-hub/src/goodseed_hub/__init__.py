"""A team's own remote for Goodseed: it serves the wire protocol, and the dashboard over all runs that it holds."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.5.0"
