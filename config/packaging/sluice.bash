# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Completion of sluice in bash; the options are those that it knows itself.
_sluice()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}

	case $previous in
	-c | --config | --keep-state)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		;;
	--kernel)
		mapfile -t COMPREPLY < <(compgen -W 'scalar avx2 avx512' -- "$current")
		;;
	*)
		mapfile -t COMPREPLY < <(compgen -W "$("$1" --help 2> /dev/null |
			grep -oE '^ +(-[a-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+')" -- "$current")
		;;
	esac
}
complete -o filenames -F _sluice sluice
