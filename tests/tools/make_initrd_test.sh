#!/bin/bash
# tools/make-initrd: the same bytes every time, without privilege, with what was asked for in the right place.
set -uo pipefail
# shellcheck source=tests/tools/lib.bash
. "$(dirname "$0")/lib.bash"

out=$scratch/out.cpio
members() { "${UNPACK[@]}" <"$1" | python3 tests/tools/newc_list.py; }
UNPACK=(cat)

# Made twice from sources with other times and in another folder.
deterministic() {
    mkdir -p "$scratch/a/tree" "$scratch/b/tree"
    echo one >"$scratch/a/tree/1"
    cp "$scratch/a/tree/1" "$scratch/b/tree/1"
    touch -d 2001-01-01 "$scratch/b/tree/1"
    tools/make-initrd --add "$scratch/a/tree:/data" --script 'true' "$@" -o "$scratch/1.cpio" &&
        TMPDIR=$scratch/b tools/make-initrd --add "$scratch/b/tree:/data" --script 'true' "$@" -o "$scratch/2.cpio" &&
        cmp "$scratch/1.cpio" "$scratch/2.cpio"
}
# contains REGEX: a line `MODE SIZE NAME [-> TARGET]` of the archive.
contains() { members "$out" | grep -E "$1"; }

check 'make-initrd: the same input gives the same bytes' deterministic
check 'make-initrd: the same with --gzip' deterministic --gzip
# Mode 0 must stay out of nobody's reach.
chmod 755 "$scratch"
unprivileged() {
    mkdir -m 777 "$scratch/open"
    setpriv --reuid 65534 --regid 65534 --clear-groups tools/make-initrd -o "$scratch/open/x" && cmp "$scratch/open/x" "$out"
}
tools/make-initrd -o "$out"
if [[ $(id -u) -eq 0 ]] && ! setpriv --reuid 65534 --regid 65534 --clear-groups test -r "$PWD/tools/lib/newc.py"; then
    skip 'make-initrd: needs no root' "this folder, $PWD, lies where nobody but its owner can read"
elif [[ $(id -u) -eq 0 ]]; then
    check 'make-initrd: needs no root, and gives the same bytes without' unprivileged
else
    skip 'make-initrd: needs no root' 'these tests run without root already'
fi
check 'make-initrd: /dev/console is a device' contains '^20600 0 dev/console'
check 'make-initrd: /init can be run' contains '^100755 [0-9]+ init$'

tools/make-initrd --with bash --add /etc/debian_version:/bin/version --add "/etc/debian_version:/dir with space/" -o "$out"
check 'make-initrd: --with brings the ELF interpreter' contains 'usr/lib64/ld-linux-x86-64.so.2$'
check 'make-initrd: --with brings libraries' contains 'libc.so.6$'
check 'make-initrd: --add below a link goes where the link leads' contains '^100644 [0-9]+ usr/bin/version$'
check 'make-initrd: --add to a folder with a space' contains ' dir with space/debian_version$'

tools/make-initrd --bench reboot -o "$out"
check 'make-initrd: --bench has nothing but busybox and init' same 4 "$(members "$out" | grep -cvE '^40755')"
check 'make-initrd: --bench takes nothing else' status_is 1 tools/make-initrd --bench sleep -o "$out"
check 'make-initrd: a missing file is refused' status_is 1 tools/make-initrd --add /no/such:/x -o "$scratch/none"
check 'make-initrd: and leaves no file' test ! -e "$scratch/none"
check 'make-initrd: an unknown program is refused' status_is 1 tools/make-initrd --with no-such-program -o "$scratch/none"
finish
