#!/bin/bash
# Dependencies point one way (DESIGN.md section 2): each folder's includes are held against the table. The build enforces
# most of it too (tools/cmake/CarrelTargets.cmake), but what is linked publicly is visible further up.
set -uo pipefail
# shellcheck source=tests/tools/lib.bash
. "$(dirname "$0")/../tools/lib.bash"

# Folder, and what it may include besides itself, vmm/base and vmm/model.
declare -A may=(
    [vmm/base]='-' [vmm/model]='' [vmm/config]='' [vmm/memory]='' [vmm/bus]='vmm/memory' [vmm/kvm]='vmm/memory vmm/bus'
    [vmm/sched]='' [vmm/sim]='vmm/sched' [vmm/observe]='vmm/memory vmm/bus vmm/kvm'
    [vmm/machine]='vmm/memory vmm/bus vmm/kvm vmm/sched vmm/sim vmm/observe devices boot guest-images'
    [vmm/host]='vmm/machine vmm/sched devices'
    [vmm/isolate]='vmm/host vmm/machine vmm/config vmm/sched vmm/kvm devices'
    [vmm/control]='vmm/host vmm/machine vmm/config vmm/sched devices'
    [vmm/app]='vmm/config vmm/memory vmm/bus vmm/kvm vmm/sched vmm/sim vmm/observe vmm/machine vmm/host vmm/control devices boot'
    [vmm/cli]='vmm/config vmm/memory vmm/bus vmm/kvm vmm/sched vmm/sim vmm/observe vmm/machine vmm/host vmm/isolate vmm/control vmm/app devices boot'
    [devices]='vmm/memory vmm/bus' [boot]='vmm/memory'
)

# includes_hold FOLDER: each include of ours in FOLDER names an allowed one.
includes_hold() {
    local folder=$1 allowed="$1 ${may[$1]}" file include target bad=0
    [[ ${may[$folder]} == - ]] || allowed+=' vmm/base vmm/model'
    while IFS=: read -r file include; do
        include=${include#*\"}
        include=${include%%\"*}
        case $include in
            vmm/*/*) target=$(cut -d/ -f1,2 <<<"$include") ;;
            *) target=${include%%/*} ;;
        esac
        [[ " $allowed " == *" $target "* ]] && continue
        printf '%s includes %s\n' "$file" "$include"
        bad=1
    done < <(grep -rH --include='*.h' --include='*.cpp' '^#include "' "$folder")
    return $bad
}

for folder in "${!may[@]}"; do
    [[ -n $(find "$folder" -name '*.h' 2>/dev/null) ]] || continue
    check "includes: $folder keeps to its layer" includes_hold "$folder"
done

ioctls_in_kvm_only() { ! grep -rnE '\bKVM_(RUN|CREATE_|SET_|GET_)[A-Z0-9_]+\b.*\(|ioctl\([^)]*KVM_' --include='*.cpp' --include='*.h' vmm devices boot | grep -v '^vmm/kvm/'; }
no_devices_know_kvm() { ! grep -rnE 'linux/kvm|vmm/kvm' devices boot; }
no_open_beside_the_opener() { ! grep -rnE '[^_a-z.>]::open(at)?\(|\bfopen\(|std::[io]?fstream' --include='*.cpp' vmm/machine vmm/host vmm/kvm boot; }
no_new_or_delete() { ! grep -rnE '(=|return|\() *new [A-Z]|\bdelete [a-z]' --include='*.cpp' --include='*.h' vmm devices boot; }
every_folder_has_a_readme() {
    local folder bad=0
    for folder in vmm/* devices devices/* boot boot/* guest-images tests tools; do
        [[ -d $folder && -n $(find "$folder" -maxdepth 1 -type f ! -name CMakeLists.txt) ]] || continue
        [[ -f $folder/README.md ]] || { printf '%s has no README.md\n' "$folder"; bad=1; }
    done
    return $bad
}
files_are_one_idea() {
    local long
    long=$(git ls-files -z -- '*.cpp' '*.h' '*.S' '*.sh' '*.bash' tools ':!tools/man' | xargs -0 wc -l | awk '$2 != "total" && $1 > 400')
    [[ -z $long ]] || { printf '%s\n' "$long"; return 1; }
}
no_left_over_marks() { ! git grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -- '*.cpp' '*.h' '*.S' '*.sh' '*.bash' tools ':!tests/structure'; }

check 'structure: KVM ioctls are issued in vmm/kvm only' ioctls_in_kvm_only
check 'structure: devices and boot know no KVM' no_devices_know_kvm
check 'structure: files are opened through the Opener' no_open_beside_the_opener
check 'structure: no new and no delete' no_new_or_delete
check 'structure: every folder has a README' every_folder_has_a_readme
check 'structure: one idea a file (400 lines)' files_are_one_idea
check 'structure: no left-over marks' no_left_over_marks
finish
