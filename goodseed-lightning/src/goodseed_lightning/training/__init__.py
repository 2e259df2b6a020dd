"""Reads from a training what is logged: values and steps, checkpoints, length, gradients."""
