"""What may be deleted at any time: answers that took long to find."""
