"""Captures what the process prints, and decides which lines of it are stored."""
