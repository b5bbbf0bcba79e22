"""Lets `python -m proxy` be `tidegate`."""

import sys

from proxy.cli import main

sys.exit(main())
