"""Runs out of files that other tools have written; a source each."""
