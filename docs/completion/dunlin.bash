# dunlin.bash - completion of commands and flags in bash. Both come from `dunlin help` itself, so they are
# those of the program that is there. `make install` puts it where bash-completion looks.

# What stands first on the indented lines of a help text: commands, or flags.
_dunlin_words() {
	"$1" help $2 2>/dev/null | awk -v flags="$2" '
		/^  [a-z]+ +[^ ]/ && flags == "" && !over { print $1 }
		/^  --[a-z]/ { print $1 }
		/^`dunlin help/ { over = 1 }'
}

# What may stand behind a flag.
_dunlin_values() {
	case $1 in
	--config | --key-file) compgen -f -- "$2" ;;
	--dir) compgen -d -- "$2" ;;
	--log-level) compgen -W 'error warn info debug' -- "$2" ;;
	--insecure | --listing | --riak-defaults | --site-check) compgen -W 'yes no' -- "$2" ;;
	--r | --w | --dw | --pr | --pw) compgen -W 'one quorum all' -- "$2" ;;
	--dist) compgen -W 'uniform zipf seq' -- "$2" ;;
	--url) compgen -W 'http://127.0.0.1:8098' -- "$2" ;;
	*) return 1 ;;
	esac
	return 0
}

_dunlin() {
	local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]} values
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		COMPREPLY=($(compgen -W "$(_dunlin_words "$program") --help --version" -- "$word"))
	elif [ "$command" = help ]; then
		[ "$COMP_CWORD" != 2 ] || COMPREPLY=($(compgen -W "$(_dunlin_words "$program")" -- "$word"))
	elif values=$(_dunlin_values "$before" "$word"); then
		local IFS=$'\n'
		COMPREPLY=($values)
	elif [ "${word:0:1}" = - ]; then
		COMPREPLY=($(compgen -W "$(_dunlin_words "$program" "$command")" -- "$word"))
	fi
}

complete -o bashdefault -o default -F _dunlin dunlin
