"""Callbacks for libraries that have no plugin package of their own; each file imports its library."""
