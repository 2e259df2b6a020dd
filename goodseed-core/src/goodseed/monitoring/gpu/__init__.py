"""Samples GPUs of NVIDIA, AMD and Apple."""
