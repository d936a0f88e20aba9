# bash completion for fwctl                                                   -*- shell-script -*-

# The words of a rule, from its verdict on. $1: the word before the cursor.
_fwctl_rule()
{
    case $1 in
        on)
            _fwctl_words "$(command ls /sys/class/net 2>/dev/null)"
            ;;
        proto)
            _fwctl_words "any tcp udp icmp icmpv6 esp ah gre sctp"
            ;;
        from | to)
            _fwctl_words "any"
            ;;
        app)
            _fwctl_services
            ;;
        port)
            _fwctl_words "ssh smtp domain http ntp https"
            ;;
        for)
            _fwctl_words "10m 1h 1d"
            ;;
        comment | until) ;;
        allow | deny | reject)
            _fwctl_words "in out on log proto mac mark user group unit from to ssh smtp domain http ntp https"
            ;;
        in | out)
            _fwctl_words "on log proto mac mark user group unit from to ssh smtp domain http ntp https"
            ;;
        log)
            _fwctl_words "proto mac mark user group unit from to ssh smtp domain http ntp https"
            ;;
        *)
            _fwctl_words "log proto mac mark user group unit from to port app for until comment"
            ;;
    esac
}

# The words of a question. $1: the word before the cursor.
_fwctl_question()
{
    case $1 in
        on)
            _fwctl_words "$(command ls /sys/class/net 2>/dev/null)"
            ;;
        proto)
            _fwctl_words "tcp udp icmp icmpv6 esp ah gre sctp"
            ;;
        icmp | icmpv6)
            _fwctl_words "echo echo-reply destination-unreachable time-exceeded redirect"
            ;;
        from | to)
            _fwctl_words "any"
            ;;
        port) ;;
        explain | trace | cut)
            _fwctl_words "ssh smtp domain http ntp https icmp icmpv6 esp"
            ;;
        *)
            _fwctl_words "in out routed on from to port proto mac mark user group unit"
            ;;
    esac
}

# Names of services and profiles, with blanks quoted; all is a word of its own here.
_fwctl_services()
{
    local IFS=$'\n' name
    COMPREPLY=()
    for name in all $(fwctl --json app list 2>/dev/null |
        sed -n 's/^ *"name": "\(.*\)",*$/\1/p'); do
        [[ $name == "$cur"* ]] && COMPREPLY+=("$(printf %q "$name")")
    done
}

_fwctl_sets()
{
    _fwctl_words "$(fwctl --json set list 2>/dev/null | sed -n 's/^ *"name": "\(.*\)",*$/\1/p')"
}

_fwctl_words()
{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_fwctl_files()
{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_fwctl()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="allow deny reject limit route forward masquerade insert prepend delete default check apply diff reload confirm rollback history show reset
        enable disable panic cut status ports log trace explain app set ban unban bans logging"
    local options="--help --version --json --dry-run --confirm --allow-lockout --cut --color --socket"
    COMPREPLY=()

    # "--color=never" is three words to readline.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = && COMP_CWORD -ge 2 ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $prev in
        --color)
            _fwctl_words "auto always never"
            return
            ;;
        --confirm)
            _fwctl_words "60s 2m 10m"
            return
            ;;
        --socket)
            _fwctl_files
            return
            ;;
    esac

    # The command, and how many of its own words stand before the cursor.
    local i word command= given=0
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --color | --confirm | --socket)
                [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
                ((i++))
                ;;
            -*) ;;
            *)
                if [[ -z $command ]]; then command=$word; else ((given++)); fi
                ;;
        esac
    done

    if [[ $cur == -* ]]; then
        [[ $command == app ]] && options+=" --add-new"
        [[ $command == unban ]] && options+=" --all"
        [[ $command == log ]] && options+=" --follow --lines"
        [[ $command == trace ]] && options+=" --all --count --for"
        [[ $command == cut ]] && options+=" --denied"
        [[ $command == delete || $command == reset ]] && options+=" --force"
        _fwctl_words "$options"
        return
    fi
    case $command in
        "")
            _fwctl_words "$commands"
            ;;
        allow | deny | reject)
            _fwctl_rule "$prev"
            ;;
        explain | trace | cut)
            _fwctl_question "$prev"
            ;;
        ban)
            case $prev in
                for) _fwctl_words "10m 1h 1d" ;;
                comment | until) ;;
                *) ((given > 0)) && _fwctl_words "for until comment" ;;
            esac
            ;;
        unban)
            if [[ $prev != comment ]]; then
                _fwctl_words "comment $(fwctl --json bans 2>/dev/null |
                    sed -n 's/^ *"address": "\(.*\)",*$/\1/p')"
            fi
            ;;
        prepend)
            if ((given == 0)); then _fwctl_words "allow deny reject"; else _fwctl_rule "$prev"; fi
            ;;
        insert)
            if ((given == 1)); then
                _fwctl_words "allow deny reject"
            elif ((given > 1)); then
                _fwctl_rule "$prev"
            fi
            ;;
        delete)
            if ((given == 0)); then
                _fwctl_words "allow deny reject"
            elif [[ " ${COMP_WORDS[*]:1:COMP_CWORD - 1} " =~ \ (allow|deny|reject)\  ]]; then
                _fwctl_rule "$prev"
            fi
            ;;
        default)
            if ((given == 0)); then
                _fwctl_words "allow deny reject"
            elif ((given == 1)); then
                _fwctl_words "incoming outgoing routed"
            fi
            ;;
        check | apply | diff)
            if ((given == 0)); then _fwctl_files; fi
            ;;
        show)
            if ((given == 0)); then _fwctl_words "policy ruleset"; fi
            ;;
        panic)
            if ((given == 0)); then _fwctl_words "on off"; fi
            ;;
        status)
            if ((given == 0)); then _fwctl_words "verbose numbered"; fi
            ;;
        app)
            if ((given == 0)); then
                _fwctl_words "list info update default"
            elif ((given == 1)) && [[ $prev == default ]]; then
                _fwctl_words "skip"
            elif ((given == 1)) && [[ $prev == info || $prev == update ]]; then
                _fwctl_services
            fi
            ;;
        set)
            if ((given == 0)); then
                _fwctl_words "list show add remove replace delete"
            elif ((given == 1)) && [[ $prev != list ]]; then
                _fwctl_sets
            elif ((given == 2)) && [[ " ${COMP_WORDS[*]:1:COMP_CWORD - 1} " == *" replace "* ]]; then
                _fwctl_files
            elif ((given > 2)) && [[ " ${COMP_WORDS[*]:1:COMP_CWORD - 1} " == *" "@(add|replace)" "* &&
                $prev != for && $prev != until ]]; then
                _fwctl_words "for until"
            fi
            ;;
    esac
} &&
    complete -F _fwctl fwctl
