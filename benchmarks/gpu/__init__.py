"""Everything that needs a CUDA device, in one call: `python -m benchmarks.gpu`.

It runs in a tree that nobody installed, too: the runtime is found beside it.
"""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("graphc_runtime") is None:
    sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "typings"))
