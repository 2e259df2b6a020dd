"""`goodseed.Run`: the facade, its session, and how it opens and ends."""
