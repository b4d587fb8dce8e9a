"""`graphc inspect`: what an artifact holds."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from graphc_runtime.errors import ArtifactError
from graphc_runtime.manifest import NAME

from .artifacts import opened, signature_text
from .command import OK, UserError, add_command

if TYPE_CHECKING:
    from graphc_runtime.artifact import Artifact

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
    artifact = opened(options.artifact)
    try:
        if options.graph is not None:
            print(artifact.graph(options.graph)[0].rstrip("\n"))
            return OK
        artifact.check()
        if options.json:
            print(artifact.container.read(NAME, None).decode().rstrip("\n"))
            return OK
    except ArtifactError as error:
        raise UserError(str(error)) from None
    print("\n".join(_described(artifact)))
    return OK


def _described(artifact: Artifact) -> list[str]:
    from ..doctor import readable_bytes

    manifest = artifact.manifest
    lines = [
        f"{manifest.library}: made by graphc {manifest.graphc}, LLVM {manifest.llvm}; format "
        f"{manifest.format}, interface {manifest.abi}"
    ]
    for function in manifest.functions:
        place = f"    ({function.where})" if function.where else ""
        lines.append(f"  {signature_text(function)}{place}")
        lines += [f"      {line}" for line in function.doc.splitlines()[:1]]
    for target in manifest.targets:
        lines.append(f"  {target.name}: {', '.join(target.levels)}; threads: {target.threads}")
    for name, facts in manifest.files.items():
        lines.append(f"    {name:<40}{readable_bytes(facts.nbytes):>10}")
    return [*lines, "every file is as it was made"]
