#!/bin/bash
# 200 power cuts in place of 20: tests/linux/power_cut.sh.
exec env CUTS=200 bash "$(dirname "$0")/../linux/power_cut.sh"
