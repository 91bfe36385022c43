// DSDT, the Differentiated System Description Table (ACPI 6.5, 5.2.11.1): the devices that can't be found by
// looking, and how to switch off, in AML.
#pragma once

#include "boot/acpi/platform.h"
#include "boot/acpi/table_header.h"

namespace carrel::acpi {

// The sealed table.
Bytes build_dsdt(const Platform& platform);

}  // namespace carrel::acpi
