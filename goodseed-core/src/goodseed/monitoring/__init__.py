"""Collects what a run stores by itself: console, hardware, tracebacks, and facts of the process."""
