// Catch2, whichever of v2 (Debian 12) and v3 (Debian 13) is installed. In tests CHECK is Catch2's, not vmm/base's: the
// headers of ours that use ours inline are included before the change of meaning.
#pragma once

#include "vmm/base/result.h"

#undef CHECK
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;  // NOLINT(misc-unused-using-decls)
#else
#include <catch2/catch.hpp>
#endif
