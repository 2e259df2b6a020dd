"""The wire protocol as the hub reads it: bodies, points, configs."""
