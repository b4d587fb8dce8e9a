"""The process of one column, with graphc among the columns. Started by the suite's harness, not by hand."""

import sys

from .column import register

if __name__ == "__main__":
    register()
    from bench import worker  # type: ignore[import-not-found]

    worker.main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
