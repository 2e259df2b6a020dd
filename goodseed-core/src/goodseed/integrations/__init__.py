"""Callbacks of a few lines for libraries that have no plugin of their own: one file each, which imports its library."""
