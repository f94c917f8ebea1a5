"""Run the command `reasoner`: `python -m reasoner`."""

import sys

from reasoner.cli import main

if __name__ == "__main__":
    sys.exit(main())
