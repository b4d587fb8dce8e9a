"""The whole road from functions to the files of a library.

    functions   --exports-->    traced functions and their signatures
    traced      --program-->    LLVM IR for each level of processors, and the block of weights
    signatures  --interface-->  LLVM IR of the C functions
    LLVM IR     --objects-->    object files     --archive, linkers-->  libraries
    signatures  --header, manifest, package-->   what describes them

Every arrow is a module of this folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import graphc_runtime
from graphc_runtime.records import dataclass

from ..arguments import Call
from ..codegen.build import build_native
from ..codegen.target import Target
from ..errors import BuildError
from ..trace import TracedFunction
from . import objects
from .archive import Member, archive
from .header import print_header
from .interface import WEIGHTS_HEADER, Export, Interface
from .program import Block, make_program
from .signature import Signature, is_identifier
from .targets import Level, Platform

WEIGHTS_MAGIC = b"graphcW1"
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Function:
    """A traced function with the signature that it is exported with.

    `call` is the bound call that it was traced for: Python's names of the arguments, and their
    structures.
    """

    signature: Signature
    traced: TracedFunction
    call: Call


@dataclass(frozen=True, slots=True)
class Library:
    """What was built for one platform.

    `objects` are the members of the static library; `weights` is the block of constants, with its
    header where it is a file of its own.
    """

    interface: Interface
    members: tuple[Member, ...]
    weights: bytes
    header: str

    @property
    def static(self) -> bytes:
        """The static library."""
        return archive(self.members, bsd=self.interface.where.format == "macho")


def build_library(
    name: str,
    functions: Sequence[Function],
    where: Platform,
    levels: Sequence[Level],
    *,
    threads: str = "none",
    embed: bool = True,
    doc: str = "",
    progress: Progress = lambda text: None,
) -> Library:
    """Object files and the header of a library.

    Raises:
        BuildError: for what a library cannot hold.
    """
    _check(name, functions, where, threads)
    block = Block()
    exports: list[Export] = []
    for function in functions:
        programs = []
        for k, level in enumerate(levels):
            progress(f"{function.signature.name} for {where.name} {level.name}")
            prefix = f"{name}_{function.signature.name}_level{k}"
            programs.append(make_program(function.traced, where, level, prefix, block))
        exports.append(Export(function.signature, tuple(programs)))
    content = block.content
    head = b"" if embed else weights_header(content)
    interface = Interface(
        name, where, tuple(exports), threads, head or None, len(head) + len(content)
    )
    members = _members(interface, content, progress)
    return Library(interface, members, head + content, print_header(interface, doc))


def _members(interface: Interface, weights: bytes, progress: Progress) -> tuple[Member, ...]:
    """The object files: C functions, programs, weights unless they are a file, threads."""
    name, where = interface.library, interface.where
    least = where.target(where.levels[0])
    texts: list[tuple[str, str, Target, tuple[str, ...]]] = [
        (name, interface.render(), least, interface.symbols)
    ]
    for program in (p for export in interface.exports for p in export.programs):
        symbols = (f"{program.prefix}_run", f"{program.prefix}_shapes")
        texts.append((program.prefix, program.text, where.target(program.level), symbols))
    if interface.weights is None:
        text = objects.weights_text(name, weights)
        texts.append((f"{name}_weights", text, least, (f"{name}.weights",)))
    progress(f"LLVM: {len(texts)} modules for {where.name}")
    made = objects.build([(text, target) for _, text, target, _ in texts])
    under = "_" if where.format == "macho" else ""
    members = [
        Member(f"{stem}.o", one, tuple(under + s for s in symbols))
        for (stem, _, _, symbols), one in zip(texts, made, strict=True)
    ]
    return (*members, *_pool(name, where, interface.threads))


FUTEX = {"x86_64": 202, "aarch64": 98}
"""The number of the system call on Linux."""
POOL_SYMBOLS = ("library_for", "library_threads", "library_set_threads")


def _pool(name: str, where: Platform, threads: str) -> list[Member]:
    """The object of the thread pool (runtime/threads.c), whose symbols have the library's name in
    front."""
    if threads != "pool":
        return []
    text = graphc_runtime.threads_source().replace("@gc_", f"@{name}_gc_")
    text = text.replace(
        f"@{name}_gc_futex_number = external local_unnamed_addr constant i64",
        f"@{name}_gc_futex_number = internal constant i64 {FUTEX[where.arch]}",
    )
    content = build_native(text, where.target(where.levels[0]))
    symbols = tuple(f"{name}_gc_{one}" for one in POOL_SYMBOLS)
    return [Member(f"{name}_threads.o", content, symbols)]


def _check(name: str, functions: Sequence[Function], where: Platform, threads: str) -> None:
    if not is_identifier(name):
        raise BuildError(f"{name!r} cannot name a library; use letters, digits and _")
    if not functions:
        raise BuildError("nothing is exported")
    names = [f.signature.name for f in functions]
    for one in names:
        if names.count(one) > 1:
            raise BuildError(f"two exported functions are called {one!r}")
    if threads not in where.threads:
        expected = ", ".join(where.threads)
        raise BuildError(f"{where.name} has no threads={threads!r}; expected one of {expected}")


def weights_header(content: bytes) -> bytes:
    """What a file of weights begins with: a magic, the size, and the hash of the block."""
    head = WEIGHTS_MAGIC + len(content).to_bytes(8, "little") + hashlib.sha256(content).digest()
    return head + bytes(WEIGHTS_HEADER - len(head))
