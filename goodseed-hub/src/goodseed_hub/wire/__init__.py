"""Reads the wire protocol's bodies: points and configs."""
