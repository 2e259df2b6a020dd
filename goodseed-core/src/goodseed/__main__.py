"""``python -m goodseed`` is the command ``goodseed``."""

import sys

from goodseed.cli.main import main

sys.exit(main())
