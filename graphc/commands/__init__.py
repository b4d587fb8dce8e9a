"""The commands of `graphc`, a file each. `add(commands)` gives the parser its arguments; `run`
answers the exit code.
"""
