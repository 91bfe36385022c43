#!/bin/bash
# 64 idle guests in one process, without disks and with one each, cost what issue 5 lets them: memory besides their RAM, CPU time.
set -uo pipefail
# shellcheck source=tests/kvm/lib.bash
. "$(dirname "$0")/lib.bash"
need_kvm idle_guests

check 'idle: 64 guests take no more than they may' timeout 200 tools/bench quota --part idle --guests 64 --carrel "$CARREL"
sed 's/^/# /' "$scratch/check.log"
# One io thread serves them all. Disks have eight at most.
threads() { awk '$1 == 64 && $2 == 0 { none = $(NF - 1) } $1 == 64 && $2 == 1 { disks = $(NF - 1) } END { exit !(none > 0 && disks - none <= 8) }' "$scratch/table"; }
cp "$scratch/check.log" "$scratch/table"
check 'idle: their disks have a bounded number of threads' threads
finish
