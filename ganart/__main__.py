"""`python -m ganart`: the command line."""

import sys

from ganart.cli import main

sys.exit(main())
