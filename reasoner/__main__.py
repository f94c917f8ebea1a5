"""`python -m reasoner` is the command `reasoner`."""

import sys

from reasoner.cli import main

if __name__ == "__main__":
    sys.exit(main())
