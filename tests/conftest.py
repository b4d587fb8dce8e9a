"""Makes the working tree importable: `graphc`, and `runtime/` as `graphc_runtime`, when they are not installed."""

import importlib.util
import pathlib
import sys

ROOT = pathlib.Path(__file__).parent.parent

if importlib.util.find_spec("graphc_runtime") is None:
    spec = importlib.util.spec_from_file_location(
        "graphc_runtime",
        ROOT / "runtime" / "__init__.py",
        submodule_search_locations=[str(ROOT / "runtime")],
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["graphc_runtime"] = module
    spec.loader.exec_module(module)
