# bash completion for carrel(1). Needs nothing but bash; with the package bash-completion it is found by itself.

# The options that `carrel WORD --help` lists are the ones completed, so that this file can't fall behind.
_carrel_options() {
    "${COMP_WORDS[0]}" "$@" --help 2>/dev/null | grep -oE '(^|[ ,])--[a-z-]+' | tr -d ' ,'
}

_carrel_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_carrel_words() {
    mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
}

_carrel() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    if [[ $COMP_CWORD -eq 1 ]]; then
        _carrel_words "$word" 'run host ctl top schema simulate doctor version --help --version'
        return
    fi
    case $before in
        ctl) _carrel_words "$word" 'list show stats events console create start pause resume stop kill delete set policy --socket --json' && return ;;
        --interval) _carrel_words "$word" '500ms 1s 5s' && return ;;
        policy) _carrel_words "$word" 'weighted-fair round-robin priority fcfs sjf' && return ;;
        --placement) _carrel_words "$word" 'none spread pack' && return ;;
        --initrd | --disk | --vsock | --socket | create | --swap | --check) _carrel_files "$word" ;;
        --net) _carrel_words "$word" 'tap= tapfd= user switch=' ;;
        --memory) _carrel_words "$word" '64M 128M 256M 512M 1G 2G 4G' ;;
        --cpus) _carrel_words "$word" '1 2 4 8' ;;
        --cpu) _carrel_words "$word" 'host baseline' ;;
        --cpu-cap | --cpu-reserve) _carrel_words "$word" '5% 10% 25% 50% 100%' ;;
        --memory-quota) _carrel_words "$word" '64M 128M 256M 512M' ;;
        --cpu-weight | --cpu-priority) _carrel_words "$word" '50 100 200' ;;
        --cpu-burst | --cpu-period | --cpu-expected-burst) _carrel_words "$word" '1ms 5ms 10ms 100ms' ;;
        --on-memory-limit) _carrel_words "$word" 'hold kill' ;;
        --timeout) _carrel_words "$word" '10s 60s 10m' ;;
        --on-reboot) _carrel_words "$word" 'exit restart' ;;
        --serial) _carrel_words "$word" 'stdio file: pty none' ;;
        --transport) _carrel_words "$word" 'pci mmio' ;;
        --console) _carrel_words "$word" 'serial virtio' ;;
        --log) _carrel_words "$word" 'error warning info debug' ;;
        --gantt) _carrel_files "$word" ;;
        --policy) _carrel_words "$word" 'weighted-fair round-robin priority fcfs sjf' ;;
        --append | --name | --cpus-allowed) ;;
        *)
            if [[ $word == -* ]]; then
                _carrel_words "$word" "$(_carrel_options "${COMP_WORDS[1]}")"
            elif [[ ${COMP_WORDS[1]} == run || ${COMP_WORDS[1]} == host ]]; then
                _carrel_files "$word"
            fi
            ;;
    esac
}

complete -F _carrel carrel
