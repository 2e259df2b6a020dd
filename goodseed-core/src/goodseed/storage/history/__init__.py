"""Keeps what a run was before: its attempts, the values that were replaced, and the points beyond a rewind."""
