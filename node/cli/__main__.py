"""`python -m node.cli` is `ringrift-node`."""

import sys

from node.cli import main

sys.exit(main())
