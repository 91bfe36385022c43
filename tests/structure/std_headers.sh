#!/bin/bash
# What is used of the standard library is included, by the file or by a header of ours that it includes. Debian 12's headers
# include one another more than Debian 13's do, and only `tools/test --long` builds there.
set -uo pipefail
# shellcheck source=tests/tools/lib.bash
. "$(dirname "$0")/../tools/lib.bash"

missing() {
    python3 - <<'END'
import os, re, subprocess, sys

# Header, and how a use of it is known. Only what no other header has to bring.
USES = {
    "algorithm": r"std::(min|max|minmax|sort|find|find_if|copy|copy_n|fill|fill_n|clamp|any_of|all_of|none_of|count|count_if"
                 r"|equal|reverse|search|transform|remove_if|lower_bound|upper_bound|max_element|min_element|ranges::\w+)\b",
    "array": r"std::array\b",
    "atomic": r"std::(atomic\w*|memory_order\w*)\b",
    "bit": r"std::(bit_cast|bit_ceil|bit_width|countr_zero|countl_zero|popcount|has_single_bit|endian)\b",
    "cerrno": r"\berrno\b",
    "charconv": r"std::(from_chars|to_chars)\b",
    "chrono": r"std::chrono\b",
    "cstdint": r"\bu?int(8|16|32|64|ptr)_t\b|\bU?INT(8|16|32|64)_MAX\b|\bSIZE_MAX\b",
    "cstdlib": r"std::(abort|exit|getenv|strtoul|strtoull)\b",
    "cstring": r"std::(memcpy|memset|memcmp|memmove|memchr|strlen|strcmp|strerror)\b",
    "functional": r"std::function\b",
    "limits": r"std::numeric_limits\b",
    "map": r"std::map\b",
    "memory": r"std::(unique_ptr|make_unique\w*|shared_ptr|make_shared)\b",
    "optional": r"std::(optional|nullopt)\b",
    "span": r"std::(span|as_bytes|as_writable_bytes)\b",
    "string": r"std::(string|to_string)\b",
    "string_view": r"std::string_view\b",
    "variant": r"std::(variant|visit|get_if|holds_alternative)\b",
    "vector": r"std::vector\b",
}
BRINGS = {"string_view": "string"}  # the other one has to bring it
files = subprocess.check_output(["git", "ls-files", "vmm/*.cpp", "vmm/*.h", "devices/*.cpp", "devices/*.h", "boot/*.cpp", "boot/*.h",
                                 "tests/*.cpp", "tests/*.h", "guest-images/*.h"], text=True).split()
texts = {file: open(file, encoding="utf-8").read() for file in files}

def headers(file):
    """The standard headers that `file` includes itself or through ours."""
    found, seen, rest = set(), set(), [file]
    while rest:
        one = rest.pop()
        if one in seen:
            continue
        seen.add(one)
        found.update(re.findall(r"^#include <(\w+)>", texts[one], re.M))
        for path in re.findall(r'^#include "([^"]+)"', texts[one], re.M):
            rest += [place for place in (path, "guest-images/" + path, os.path.join(os.path.dirname(one), path)) if place in texts][:1]
    return found

bad = []
for file in files:
    if file.startswith("guest-images/"):
        continue  # freestanding
    has = headers(file)
    code = re.sub(r'"(\\.|[^"\\\n])*"|//.*|^#include.*', "", texts[file], flags=re.M)
    for header, use in USES.items():
        if header not in has and BRINGS.get(header) not in has and (found := re.search(use, code)):
            bad.append(f"{file} uses {found[0]} without <{header}>")
print("\n".join(bad))
sys.exit(bool(bad) or not files)
END
}
check 'structure: what is used of the standard library is included' missing
finish
