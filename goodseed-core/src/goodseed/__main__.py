"""``python -m goodseed`` is the command ``goodseed``."""

import sys

if __name__ == "__main__":  # processes that it starts import this file, and need none of the commands
    from goodseed.cli.main import main

    sys.exit(main())
