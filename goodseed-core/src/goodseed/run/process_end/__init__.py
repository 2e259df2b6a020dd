"""Closes open runs however the process ends: signals, exit codes, forks."""
