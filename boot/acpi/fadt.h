// FADT, the Fixed ACPI Description Table: where the power management registers are, and what isn't there.
#pragma once

#include "boot/acpi/platform.h"
#include "boot/acpi/table_header.h"

namespace carrel::acpi {

// ACPI 6.5, 5.2.9, table 5.9. Field names as there; the section of a field's meaning is the same table.
struct [[gnu::packed]] Fadt {
    TableHeader header;
    uint32_t firmware_ctrl;
    uint32_t dsdt;
    uint8_t reserved0;
    uint8_t preferred_pm_profile;
    uint16_t sci_int;
    uint32_t smi_cmd;
    uint8_t acpi_enable;
    uint8_t acpi_disable;
    uint8_t s4bios_req;
    uint8_t pstate_cnt;
    uint32_t pm1a_evt_blk;
    uint32_t pm1b_evt_blk;
    uint32_t pm1a_cnt_blk;
    uint32_t pm1b_cnt_blk;
    uint32_t pm2_cnt_blk;
    uint32_t pm_tmr_blk;
    uint32_t gpe0_blk;
    uint32_t gpe1_blk;
    uint8_t pm1_evt_len;
    uint8_t pm1_cnt_len;
    uint8_t pm2_cnt_len;
    uint8_t pm_tmr_len;
    uint8_t gpe0_blk_len;
    uint8_t gpe1_blk_len;
    uint8_t gpe1_base;
    uint8_t cst_cnt;
    uint16_t p_lvl2_lat;
    uint16_t p_lvl3_lat;
    uint16_t flush_size;
    uint16_t flush_stride;
    uint8_t duty_offset;
    uint8_t duty_width;
    uint8_t day_alrm;
    uint8_t mon_alrm;
    uint8_t century;
    uint16_t iapc_boot_arch;
    uint8_t reserved1;
    uint32_t flags;
    GenericAddress reset_reg;
    uint8_t reset_value;
    uint16_t arm_boot_arch;
    uint8_t fadt_minor_version;
    uint64_t x_firmware_ctrl;
    uint64_t x_dsdt;
    GenericAddress x_pm1a_evt_blk;
    GenericAddress x_pm1b_evt_blk;
    GenericAddress x_pm1a_cnt_blk;
    GenericAddress x_pm1b_cnt_blk;
    GenericAddress x_pm2_cnt_blk;
    GenericAddress x_pm_tmr_blk;
    GenericAddress x_gpe0_blk;
    GenericAddress x_gpe1_blk;
    GenericAddress sleep_control_reg;
    GenericAddress sleep_status_reg;
    std::array<char, 8> hypervisor_vendor_identity;
};
static_assert(offsetof(Fadt, pm1a_evt_blk) == 56 && offsetof(Fadt, pm1_evt_len) == 88);
static_assert(offsetof(Fadt, iapc_boot_arch) == 109 && offsetof(Fadt, flags) == 112);
static_assert(offsetof(Fadt, reset_reg) == 116 && offsetof(Fadt, x_dsdt) == 140);
static_assert(offsetof(Fadt, sleep_control_reg) == 244 && sizeof(Fadt) == 276);

// Table 5.10, Fixed ACPI Description Table Fixed Feature Flags; those that we set.
enum FadtFlag : uint32_t {
    kWbinvd = 1u << 0,        // WBINVD works and keeps caches coherent
    kProcC1 = 1u << 2,        // HLT is C1 on every CPU
    kSlpButton = 1u << 5,     // no fixed sleep button
    kFixRtc = 1u << 6,        // no RTC wake status in the PM1 registers
    kTmrValExt = 1u << 8,     // the PM timer has 32 bits
    kResetRegSup = 1u << 10,  // RESET_REG works
    kHeadless = 1u << 12,     // neither display nor keyboard
};
// Not set, among others: PWR_BUTTON (bit 4: clear means that there is a fixed power button), HW_REDUCED_ACPI
// (bit 20: under it Linux keeps COM1 from userspace), P_LVL2_UP (bit 3), PCI_EXP_WAK (bit 14).

// 5.2.9.3, IA-PC Boot Architecture Flags; those that we set.
enum IapcBootArch : uint16_t {
    kVgaNotPresent = 1u << 2,
    kCmosRtcNotPresent = 1u << 5,  // a clock answers, but nobody need look for it
};
// Not set: LEGACY_DEVICES (bit 0: everything that a user sees stands in the DSDT, so nobody need probe ISA),
// 8042 (bit 1: the reset command works, a keyboard never answers), MSI Not Supported (bit 3).

// The sealed table. `facs` and `dsdt` are below 4 GiB.
Bytes build_fadt(const FixedHardware& fixed, Gpa facs, Gpa dsdt);

}  // namespace carrel::acpi
