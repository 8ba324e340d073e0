"""`pilot completion`: scripts for bash, zsh and fish. What they offer is asked of `pilot __complete`."""

from __future__ import annotations

import argparse
import sys

from pilot.errors import Exit

# Each script hands over the words up to the cursor, the one being typed last. What comes back is a
# candidate a line, with a tab and a description where there is one.
_BASH = """\
# pilot: completion for bash. Put it to use with:  eval "$(pilot completion bash)"
_pilot() {
    local line words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    COMPREPLY=()
    while IFS='' read -r line; do
        COMPREPLY+=("${line%%$'\\t'*}")
    done < <(pilot __complete "${words[@]}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == :files ]]; then
        compopt -o default
        COMPREPLY=()
    fi
}
complete -F _pilot pilot
"""

_ZSH = """\
#compdef pilot
# pilot: completion for zsh. Put it to use with:  eval "$(pilot completion zsh)"
_pilot() {
    local line tab=$'\\t'
    local -a offered
    while IFS='' read -r line; do
        [[ $line == :files ]] && { _files; return }
        line=${line//:/\\\\:}
        offered+=("${line/$tab/:}")
    done < <(pilot __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe pilot offered
}
compdef _pilot pilot
"""

_FISH = """\
# pilot: completion for fish. Put it to use with:  pilot completion fish | source
function __pilot_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (pilot __complete $words[2..-1] 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c pilot -f -a '(__pilot_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("shell", choices=sorted(SCRIPTS), help="which shell")


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    sys.stdout.write(SCRIPTS[args.shell])
    return Exit.OK
