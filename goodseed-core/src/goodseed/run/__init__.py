"""`goodseed.Run` and what it is made of."""
