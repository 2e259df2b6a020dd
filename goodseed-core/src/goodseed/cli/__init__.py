"""The command ``goodseed``."""
