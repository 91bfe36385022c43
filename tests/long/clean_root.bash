# Shared by the scripts here: a Debian root made from nothing, with git and a clone of this tree in it, and commands
# run there. Source it after `set -uo pipefail`.
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2317  # what apt, mmdebstrap and inner shells expand; functions that check runs
# shellcheck source=tests/tools/lib.bash
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib.bash"

root=$scratch/root

# reason_to_skip: why a root can't be made here, or nothing.
reason_to_skip() {
    [[ $(id -u) -eq 0 ]] || { echo 'making a Debian root needs root'; return; }
    command -v mmdebstrap >/dev/null || { echo 'mmdebstrap is not installed (tools/install-deps --test)'; return; }
    unshare --mount --pid --fork true 2>/dev/null || echo 'no namespaces of our own here'
}

# This machine's own mirror, and how it is reached: proxies; a clock that has run past a snapshot's dates.
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | grep -m 1 -E '/debian/?$' || echo http://deb.debian.org/debian; }
apt_settings() { apt-config dump | grep -E '^Acquire::((https?|ftp)::|Check-|Retries|Force)'; }

# make_root SUITE: the smallest Debian that has apt, and git. Security updates are left out: what is tested is ours.
make_root() {
    local lines settings=$scratch/apt.conf
    apt_settings >"$settings"
    lines="deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $1 main"
    mmdebstrap --quiet --variant=minbase --include=git,ca-certificates --aptopt="$settings" \
        --setup-hook='mkdir -p "$1/etc/apt/apt.conf.d"' "$1" "$root" "$lines" || return 1
    cp "$settings" "$root/etc/apt/apt.conf.d/99machine"
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    mkdir -p "$root/cache" "$root/source"
    inside git clone --quiet /source /root/carrel
}

# inside COMMAND...: as root in the root, in /root/carrel once that is there. All mounts and processes are gone when
# COMMAND ends. The source is this tree, read only; the cache is ours, so that no kernel is downloaded twice.
inside() {
    local cache=${CARREL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carrel}
    mkdir -p "$cache"
    ROOT=$root SOURCE=$PWD CACHE=$cache unshare --mount --pid --fork --kill-child --propagation private bash -c '
        set -e
        mount --bind "$ROOT" "$ROOT" # a mount of its own, as a root is: tests make namespaces in it
        mount -t proc proc "$ROOT/proc"
        mount --rbind /sys "$ROOT/sys"
        mount --rbind /dev "$ROOT/dev"
        mount -t tmpfs tmp "$ROOT/tmp"
        mount --bind "$CACHE" "$ROOT/cache"
        mount --bind -o ro "$SOURCE" "$ROOT/source"
        mkdir -p "$ROOT/old"
        cd "$ROOT"
        pivot_root . old # not chroot: nobody may make a user namespace in one, and passt does
        umount -l /old
        exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 CARREL_CACHE=/cache \
            GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="*" \
            sh -c "cd /root/carrel 2>/dev/null || cd /root; exec \"\$@\"" sh "$@"' bash "$@"
}

# bare: nothing of what the demo has to install is there from the start.
bare() { ! inside sh -c 'command -v g++ cmake sudo python3 qemu-system-x86_64'; }
