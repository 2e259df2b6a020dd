"""Accelerators: who makes them, and how each is read."""
