"""``python -m goodseed`` is the command ``goodseed``."""

import sys

from goodseed.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
