// A simulation's timeline as a picture for a slide: an SVG of bounded size.
#pragma once

#include <string>

#include "vmm/sim/outcome.h"

namespace carrel::sim {

std::string chart_svg(const Outcome& outcome);

}  // namespace carrel::sim
