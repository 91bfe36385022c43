#!/bin/bash
# cmake --install: the files are where a distribution has them, and each of them works.
set -uo pipefail
# shellcheck source=tests/tools/lib.bash
. "$(dirname "$0")/lib.bash"

release=${BUILD:+$BUILD/release}
release=${release:-build}
root=$scratch/root

install_it() { DESTDIR=$root cmake --install "$release" --prefix /usr --strip; }
holds() { [[ -s $root/usr/$1 ]] || { find "$root" -type f; return 1; }; }

# renders FILE: without a word of complaint.
renders() {
    local said
    said=$(man --warnings=w -Tutf8 -Z -l "$1" 2>&1 >/dev/null)
    same '' "$said"
}
# man's page names what `carrel run --help` names, and the other way round.
options_of_help() { "$root/usr/bin/carrel" run --help | grep -oE '(^|[ ,])--[a-z-]+' | tr -d ' ,' | grep -v '^--help$' | sort -u; }
options_of_page() {
    sed -n '/^.SH OPTIONS OF RUN/,/^.SH OPTIONS OF HOST/p' "$1" | tr -d '\\' | grep -oE -- '--[a-z-]+' | sort -u
}
page_and_help_agree() { same "$(options_of_help)" "$(options_of_page "$root/usr/share/man/man1/carrel.1")"; }
# Each option that the help lists is in this completion file, too.
lists_all() {
    local option
    for option in $(options_of_help); do
        grep -qE -- "(--|-l )${option#--}\b" "$1" || { printf 'no %s in %s\n' "$option" "$1"; return 1; }
    done
}

# completes WANTED WORD...: what bash offers for the last word.
completes() {
    local wanted=$1 got
    shift
    # shellcheck disable=SC2016  # for the inner bash
    got=$(PATH=$root/usr/bin:$PATH bash --norc -c '
        . "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _carrel 2>/dev/null
        printf "%s\n" "${COMPREPLY[@]}"' bash "$root/usr/share/bash-completion/completions/carrel" "$@" | sort | tr '\n' ' ')
    same "$wanted " "$got"
}
# The same by pressing Tab.
completes_by_tab() {
    PATH=$root/usr/bin:$PATH PS1='ready> ' "$PWD/tests/tools/converse.py" 20 \
        'ready> ' ". $root/usr/share/bash-completion/completions/carrel\r" 'ready> ' 'carrel run --on-re\t' 'on-reboot ' 're\t' \
        'restart ' '\x15exit\r' -- bash --norc -i
}

if [[ ! -x $release/carrel ]]; then
    skip install "there is no release build in $release"
    finish
fi
check 'install: cmake --install succeeds' install_it
for file in bin/carrel share/man/man1/carrel.1 share/bash-completion/completions/carrel share/zsh/vendor-completions/_carrel \
    share/fish/vendor_completions.d/carrel.fish share/doc/carrel/LICENSE share/doc/carrel/README.md; do
    check "install: $file" holds "$file"
done
check 'install: the installed binary runs' "$root/usr/bin/carrel" version
check "install: carrel.1 names the options of run's help" page_and_help_agree
if command -v man >/dev/null; then
    check 'install: carrel.1 renders without warnings' renders "$root/usr/share/man/man1/carrel.1"
else
    skip 'install: carrel.1 renders' 'man-db is not installed'
fi
check 'install: bash completes a subcommand' completes 'doctor' carrel doc
check 'install: bash completes an option' completes '--on-reboot' carrel run --on-r
check "install: bash completes an option's value" completes 'exit restart' carrel run --on-reboot ''
check 'install: bash completes when Tab is pressed' completes_by_tab
check "install: zsh's file names every option" lists_all "$root/usr/share/zsh/vendor-completions/_carrel"
check "install: fish's file names every option" lists_all "$root/usr/share/fish/vendor_completions.d/carrel.fish"
if command -v zsh >/dev/null; then
    check "install: zsh reads its file" zsh -n "$root/usr/share/zsh/vendor-completions/_carrel"
fi
if command -v fish >/dev/null; then
    check "install: fish reads its file" fish --no-execute "$root/usr/share/fish/vendor_completions.d/carrel.fish"
fi
finish
