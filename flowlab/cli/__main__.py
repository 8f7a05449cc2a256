"""`python -m flowlab.cli`: the same as the command `flowlab`."""

import sys

from flowlab.cli import main

sys.exit(main())
