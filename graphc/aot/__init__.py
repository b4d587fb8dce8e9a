"""Ahead of time: functions become a library with a C header, and a Python package around it.

signature.py   what an exported function takes and gives: names, types, extents
exports.py     functions and their derivatives, traced for the types they are exported with
targets.py     the machines there are, and the processors that one file may serve
program.py     one function for one processor: LLVM IR, and the block of constants it reads
interface.py   the C functions around the programs: checks, choice of the processor, threads
header.py      the C header
objects.py     LLVM IR -> object files
archive.py     object files -> a static library
linkers.py     object files -> a shared library
manifest.py    what an artifact says of itself
library.py     the whole road; read it first
"""
