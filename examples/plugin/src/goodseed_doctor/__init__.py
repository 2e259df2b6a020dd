"""A training doctor for Goodseed: watches the stream of points, and says when a training goes wrong."""
