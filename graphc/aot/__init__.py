"""Ahead of time: functions become a library with a C header, and a Python package around it.

    build.py       graphc.build and graphc.export; read it first
    signature.py   what an exported function takes and gives: names, types, extents
    exports.py     functions and their derivatives, traced for the types they are exported with
    targets.py     the machines there are, and the processors that one file may serve
    library.py     from functions to the files of a library
    program.py     one function for one processor: LLVM IR, and the block of constants it reads
    interface.py   the C functions around the programs: checks, choice of the processor, threads
    processors.py  which processor there is
    header.py      the C header, with the structures of groups.py
    objects.py     LLVM IR -> object files
    archive.py     object files -> a static library
    linkers.py     object files -> a shared library; elf.py is a linker of our own
    wasm.py        the JavaScript module beside a WebAssembly library
    gpu.py         CUDA C, cubins and launches of a function
    extension.py   an extension module of Python
    artifact.py    the folder that is shipped: manifest.py, stub.py, graphs.py, signing.py
    loading.py     graphc.load of such a folder

`import graphc` loads none of it.
"""
