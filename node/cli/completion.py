"""`ringrift-node completion`: prints what makes a shell complete commands and options, from the parsers themselves."""

import argparse
from dataclasses import dataclass

from node.cli.parsers import command_parsers, help_text, subcommands
from node.cli.reading import print_json

SHELLS = ("bash", "zsh", "fish")
_BASH = """\
_ringrift_node() {{
  local words="${{COMP_WORDS[COMP_CWORD]}}" command="${{COMP_WORDS[1]}}" known=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    known="{commands}"
  else
    case "$command" in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$known" -- "$words"))
  [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "$words"))
}}
complete -o filenames -F _ringrift_node ringrift-node
"""
_ZSH = """\
#compdef ringrift-node
_ringrift_node() {{
  local -a known
  if (( CURRENT == 2 )); then
    known=({described})
    _describe command known
    return
  fi
  case $words[2] in
{cases}
  esac
  compadd -- $known
  _files
}}
compdef _ringrift_node ringrift-node
"""


@dataclass(frozen=True)
class Completed:
    """A command with what can follow it: options and words, each with what it means."""

    name: str
    purpose: str
    words: dict[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `completion`."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to complete")
    parser.add_argument("--json", action="store_true", help="print the script as one JSON object")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        'bash: eval "$(ringrift-node completion bash)" in ~/.bashrc\n'
        'zsh: eval "$(ringrift-node completion zsh)" in ~/.zshrc, after compinit\n'
        "fish: ringrift-node completion fish > ~/.config/fish/completions/ringrift-node.fish"
    )


def main(options: argparse.Namespace) -> int:
    """Print the script; return 0."""
    script = render(options.shell)
    if options.json:
        print_json({"shell": options.shell, "script": script})
    else:
        print(script, end="")
    return 0


def render(shell: str) -> str:
    """Return the script for one of `SHELLS`."""
    commands = _commands()
    if shell == "fish":
        return "".join(f"{line}\n" for command in commands for line in _fish_lines(command))
    if shell == "bash":
        cases = [f'      {each.name}) known="{" ".join(each.words)}" ;;' for each in commands]
        return _BASH.format(commands=" ".join(each.name for each in commands), cases="\n".join(cases))
    cases = [f"    {each.name}) known=({' '.join(each.words)}) ;;" for each in commands]
    described = " ".join(_quoted(f"{each.name}:{each.purpose}") for each in commands)
    return _ZSH.format(described=described, cases="\n".join(cases))


def _commands() -> list[Completed]:
    return [Completed(each.name, each.purpose, _words(each.parser)) for each in command_parsers()]


def _words(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return the options and choices of a parser and of the parsers below it, with their help."""
    words: dict[str, str] = {}
    for action in parser._actions:
        for option in action.option_strings:
            if option.startswith("--"):
                words[option] = help_text(action)
        if not action.option_strings:
            words |= {str(choice): "" for choice in action.choices or ()}
    for name, below in subcommands(parser).items():
        words |= {name: below.purpose, **_words(below.parser)}
    return words


def _fish_lines(command: Completed) -> list[str]:
    lines = [f"complete -c ringrift-node -n __fish_use_subcommand -a {command.name} -d {_quoted(command.purpose)}"]
    for word, meaning in command.words.items():
        form = f"-l {word[2:]}" if word.startswith("--") else f"-a {word}"
        where = _quoted(f"__fish_seen_subcommand_from {command.name}")
        lines.append(f"complete -c ringrift-node -n {where} {form} -d {_quoted(meaning)}")
    return lines


def _quoted(text: str) -> str:
    """Return a text in quotes as zsh and fish read it; a quote inside becomes another letter, as it is for people."""
    return "'" + text.replace("\\", "/").replace("'", "’") + "'"
