"""The process of one column, with graphc among the columns. The suite starts it."""

import sys

from .column import register

if __name__ == "__main__":
    register()
    from bench import worker  # type: ignore[import-not-found]

    worker.main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
