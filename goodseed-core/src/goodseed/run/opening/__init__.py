"""From the arguments of `goodseed.Run` to an open backend, and from a pickled run back to it."""
