# SPDX-License-Identifier: Apache-2.0
# Bash completion of riskhookctl. It asks the program for its commands and their options, so that it
# knows what the installed version knows.

_riskhookctl_ask() {
	"${COMP_WORDS[0]}" "$@" 2>/dev/null
}

_riskhookctl_commands() {
	_riskhookctl_ask help | sed -n '/^options/q; s/^  \([a-z][a-z-]*\)  .*/\1/p'
}

# the options of a command, as "--name" or, with a value, "--name="
_riskhookctl_options() {
	_riskhookctl_ask help ${1:+"$1"} |
		sed -n 's/^  \(-[a-zA-Z], \)\{0,1\}\(--[a-z-]*\) [A-Z].*/\2=/p; t; s/^  \(--[a-z-]*\)  .*/\1/p'
}

# the value of an option, the word before the cursor
_riskhookctl_value() {
	case $1 in
	-c | --config | --file) compopt -o filenames; compgen -f -- "$2" ;;
	--state) compgen -W 'pending running done dead held' -- "$2" ;;
	--category) compgen -W 'evaluation case watchlist docv unknown' -- "$2" ;;
	--since | --until) compgen -W '15m 1h 24h 7d 30d' -- "$2" ;;
	esac
}

_riskhookctl() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command= skip= i

	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ $skip ]]; then
			skip=
		elif [[ ${COMP_WORDS[i]} == -c || ${COMP_WORDS[i]} == --config ]]; then
			skip=1
		elif [[ ${COMP_WORDS[i]} != -* && ! $command ]]; then
			command=${COMP_WORDS[i]}
		fi
	done

	COMPREPLY=()
	if [[ $before == -c ]] ||
		{ [[ $before == --* ]] && _riskhookctl_options "$command" | grep -qx -e "$before="; }; then
		mapfile -t COMPREPLY < <(_riskhookctl_value "$before" "$word")
	elif [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_riskhookctl_options "$command" | tr -d =)" -- "$word")
	elif [[ ! $command || $command == help ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_riskhookctl_commands) help" -- "$word")
	elif [[ $command == trigger ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_riskhookctl_ask trigger --list | awk '{ print $1 }')" -- "$word")
	elif [[ $command == init ]]; then
		compopt -o dirnames
	fi
}

complete -F _riskhookctl riskhookctl
