"""Keeps answers that took long to find, in a file that may be deleted at any time."""
