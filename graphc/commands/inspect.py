"""`graphc inspect`: what an artifact holds."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .artifacts import opened, signature_text
from .command import OK, add_command

EXAMPLES = """
examples:
  graphc inspect build/model                 its functions, targets and files; every file is checked
  graphc inspect build/model --json          the manifest
  graphc inspect build/model --graph predict the graph that a function was made from
"""


def add(commands: Any) -> None:
    parser = add_command(commands, "inspect", _run, "say what an artifact holds", EXAMPLES)
    parser.add_argument("artifact", metavar="ARTIFACT", help="a folder or a zip")
    parser.add_argument("--graph", metavar="FUNCTION", help="print the graph of a function")
    parser.add_argument("--json", action="store_true", help="print the manifest")


def _run(options: argparse.Namespace) -> int:
    from ..doctor import readable_bytes

    artifact = opened(options.artifact)
    manifest = artifact.manifest
    if options.graph is not None:
        print(artifact.graph_text(options.graph))
        return OK
    artifact.check()
    if options.json:
        print(json.dumps(manifest, indent=1))
        return OK
    print(f"{manifest['name']}: made by graphc {manifest['graphc']}, LLVM {manifest['llvm']}, "
          f"format {manifest['format']}, interface {manifest['abi']}")  # fmt: skip
    for function in manifest["functions"]:
        place = f"    ({function['where']})" if function["where"] else ""
        print(f"  {signature_text(function)}{place}")
        for line in function["doc"].splitlines()[:1]:
            print(f"      {line}")
    for target in manifest["targets"]:
        print(f"  {target['name']}: {', '.join(target['levels'])}; threads: {target['threads']}")
    for name, facts in manifest["files"].items():
        print(f"    {name:<32}{readable_bytes(facts['bytes']):>10}")
    print("every file is as it was made")
    return OK
