"""Writes a run while it is logged: its writer, the thread of that, and the open file."""
