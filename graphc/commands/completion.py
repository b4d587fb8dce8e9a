"""`graphc completion`: a script that lets a shell complete commands, options and their choices."""

from __future__ import annotations

import argparse
from typing import Any

from .command import OK, add_command

EXAMPLES = """
examples:
  eval "$(graphc completion bash)"                                  in ~/.bashrc
  eval "$(graphc completion zsh)"                                   in ~/.zshrc, after compinit
  graphc completion fish > ~/.config/fish/completions/graphc.fish
"""


def add(commands: Any) -> None:
    parser = add_command(commands, "completion", _run, "print a script for a shell", EXAMPLES)
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def _run(options: argparse.Namespace) -> int:
    known = words(options.whole)
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[options.shell](known))
    return OK


def words(parser: argparse.ArgumentParser) -> dict[str, dict[str, Any]]:
    """Command -> its help, its options (each with its help and its choices), and its actions."""
    found: dict[str, dict[str, Any]] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {a.dest: a.help or "" for a in action._choices_actions}
            for name, inner in action.choices.items():
                found[name] = {"help": helps.get(name, ""), **_of(inner)}
    return found


def _of(parser: argparse.ArgumentParser) -> dict[str, Any]:
    options: dict[str, tuple[str, tuple[str, ...], bool]] = {}
    actions: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            actions += action.choices
        elif action.option_strings:
            takes = action.nargs != 0
            choices = tuple(map(str, action.choices or ()))
            for text in action.option_strings:
                options[text] = ((action.help or "").partition("(")[0].strip(), choices, takes)
        elif action.choices:
            actions += map(str, action.choices)
    return {"options": options, "actions": actions}


def _bash(known: dict[str, dict[str, Any]]) -> str:
    lines = ["_graphc() {", '  local word="${COMP_WORDS[COMP_CWORD]}"']
    lines.append('  local before="${COMP_WORDS[COMP_CWORD-1]}" command="${COMP_WORDS[1]}"')
    lines.append('  if [ "$COMP_CWORD" -eq 1 ]; then')
    lines.append(f'    COMPREPLY=($(compgen -W "{" ".join(known)}" -- "$word")); return')
    lines.append("  fi")
    lines.append('  case "$command $before" in')
    for name, one in known.items():
        for option, (_, choices, _) in one["options"].items():
            if choices:
                reply = f'COMPREPLY=($(compgen -W "{" ".join(choices)}" -- "$word")); return'
                lines.append(f'    "{name} {option}") {reply};;')
    lines += ["  esac", '  case "$command" in']
    for name, one in known.items():
        both = " ".join((*one["actions"], *one["options"]))
        lines.append(f'    {name}) COMPREPLY=($(compgen -W "{both}" -- "$word"));;')
    lines += [
        "  esac",
        '  [ "${#COMPREPLY[@]}" -gt 0 ] || COMPREPLY=($(compgen -f -- "$word"))',
        "}",
    ]
    return "\n".join([*lines, "complete -o filenames -F _graphc graphc"])


def _zsh(known: dict[str, dict[str, Any]]) -> str:
    return "autoload -U +X bashcompinit && bashcompinit\n" + _bash(known)


def _fish(known: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, one in known.items():
        lines.append(
            f"complete -c graphc -n __fish_use_subcommand -a {name} -d {_quoted(one['help'])}"
        )
        inside = f"-n '__fish_seen_subcommand_from {name}'"
        for action in one["actions"]:
            lines.append(f"complete -c graphc {inside} -a {action}")
        for option, (text, choices, takes) in one["options"].items():
            kind = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            some = f" -x -a {_quoted(' '.join(choices))}" if choices else " -r" if takes else ""
            lines.append(f"complete -c graphc {inside} {kind}{some} -d {_quoted(text)}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
