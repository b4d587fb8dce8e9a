"""`python -m graphc`: the same as the command `graphc`."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
