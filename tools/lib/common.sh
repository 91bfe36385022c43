# Shared by the scripts in tools/: sentences, packages, the cache, a progress line.
# Source it after `set -euo pipefail`; it defines functions and one variable, and runs nothing.
# shellcheck shell=bash

# Kept for anybody who sources this file: everything below `tools/` names its own files from here.
# shellcheck disable=SC2034
TOOLS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# All sentences go to stderr, so that stdout stays what the tool was asked to print.
say() { printf '%s\n' "$*" >&2; }
warn() { printf '%s: warning: %s\n' "${0##*/}" "$*" >&2; }
# Wrong use and missing things both end here. Tools with a meaning for each exit status set DIE_STATUS.
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit "${DIE_STATUS:-1}"
}

# need_value OPTION ARGS-LEFT: ends with a sentence when an option that takes a value has none.
need_value() { [[ $2 -ge 2 ]] || die "$1 needs a value; see ${0##*/} --help."; }

# print_usage FILE: the comment block under the #! line is the help text.
print_usage() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$1"; }

# The folder that downloads are kept in, made on first use.
cache_dir() {
    local dir=${CARREL_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or CARREL_CACHE}/.cache}/carrel}
    mkdir -p "$dir" || die "can't make the cache folder $dir; set CARREL_CACHE to a folder that you may write."
    (cd "$dir" && pwd)
}

# with_lock NAME COMMAND...: runs COMMAND while holding the cache's lock NAME, so that parallel runs
# write the cache one after the other. Ends with COMMAND's status.
with_lock() {
    local name=$1 file status=0
    shift
    file=$(cache_dir)/$name.lock
    local fd
    exec {fd}>"$file"
    if ! flock --nonblock "$fd"; then
        say "waiting for another run that holds $file ..."
        flock "$fd"
    fi
    "$@" || status=$?
    exec {fd}>&-
    return "$status"
}

# with_progress TEXT COMMAND...: runs COMMAND with its output kept; after two seconds a line with TEXT and
# the time that passed shows on a terminal. A failing COMMAND's output is shown, and its status returned.
with_progress() {
    local text=$1 name log status=0 line=''
    shift
    # Without a name from here on: nothing to remove when we are interrupted.
    name=$(mktemp)
    exec {log}<>"$name"
    rm -f "$name"
    if [[ -t 2 ]]; then
        # The line is what runs in the background, so that Ctrl-C reaches COMMAND.
        progress_line "$text" {log}>&- &
        line=$!
    else
        say "$text ..."
    fi
    "$@" >&"$log" 2>&1 || status=$?
    if [[ -n $line ]]; then
        kill "$line" 2>/dev/null || true
        wait "$line" 2>/dev/null || true
        printf '\r\033[K' >&2
    fi
    [[ $status -eq 0 ]] || tail -n 20 "/proc/$$/fd/$log" >&2
    exec {log}>&-
    return "$status"
}

# progress_line TEXT: keeps one line on the terminal up to date while this script lives.
progress_line() {
    local begin=$SECONDS
    sleep 2
    while kill -0 $$ 2>/dev/null; do
        printf '\r%s ... %d s ' "$1" "$((SECONDS - begin))" >&2
        sleep 1
    done
}

# missing_packages PKG...: prints those that aren't installed.
missing_packages() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null) == ii* ]] || printf '%s\n' "$package"
    done
}

# as_root COMMAND...: directly, or with sudo where we aren't root.
as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}

# need_packages PKG...: installs what is missing of these Debian packages, without recommended ones.
need_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} -gt 0 ]] || return 0
    command -v apt-get >/dev/null ||
        die "these packages are missing and there is no apt-get here to install them: ${missing[*]}"
    if [[ $(id -u) -ne 0 ]] && ! command -v sudo >/dev/null; then
        die "these packages are missing; run as root: apt-get install --no-install-recommends ${missing[*]}"
    fi
    install_packages "${missing[@]}"
}

# install_packages PKG...: refreshes apt's lists only when a package can't be had with those that are there.
install_packages() {
    local install=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y
        -o DPkg::Lock::Timeout=600 install --no-install-recommends)
    [[ $(id -u) -eq 0 ]] || sudo -v || die "sudo refused; as root: apt-get install --no-install-recommends $*"
    if ! apt-get -q -s install --no-install-recommends "$@" >/dev/null 2>&1; then
        with_progress "refreshing apt's lists" as_root apt-get -q -o DPkg::Lock::Timeout=600 update ||
            warn "apt-get update failed; going on with the lists that are there."
    fi
    with_progress "installing $# packages ($(printf '%.60s' "$*"))" "${install[@]}" "$@" && return 0
    # Lists that are older than the mirror name files that are gone: refresh and try once more.
    with_progress "refreshing apt's lists" as_root apt-get -q -o DPkg::Lock::Timeout=600 update || true
    with_progress "installing $# packages, second try" "${install[@]}" "$@" ||
        die "apt-get couldn't install: $*. Its last lines are above; is a Debian mirror reachable?"
}
