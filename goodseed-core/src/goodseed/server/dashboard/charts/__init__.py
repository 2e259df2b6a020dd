"""The points of charts: what is sent, remembered, and new."""
