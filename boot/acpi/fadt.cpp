#include "boot/acpi/fadt.h"

#include "vmm/base/check.h"

namespace carrel::acpi {
namespace {

constexpr uint8_t kRevision = 6;       // FADT Major Version
constexpr uint8_t kMinorVersion = 5;   // of ACPI 6.5
constexpr uint8_t kSystemIoSpace = 1;  // 5.2.3.2
// 4.8.3.1 to 4.8.3.3: lengths in bytes.
constexpr uint8_t kPm1EventLength = 4;  // status and enable, 16 bits each
constexpr uint8_t kPm1ControlLength = 2;
constexpr uint8_t kPmTimerLength = 4;
// Table 5.9: a worst-case latency above 100 µs means no C2, above 1000 µs no C3.
constexpr uint16_t kNoC2 = 101;
constexpr uint16_t kNoC3 = 1001;

enum class AccessSize : uint8_t { kByte = 1, kWord = 2, kDWord = 3 };

GenericAddress io_register(uint16_t port, uint8_t bytes, AccessSize access) {
    return {kSystemIoSpace, static_cast<uint8_t>(bytes * 8), 0, static_cast<uint8_t>(access), port};
}

uint32_t below_4gib(Gpa gpa) {
    CHECK(raw(gpa) < 4 * kGiB);
    return static_cast<uint32_t>(raw(gpa));
}

// SMI_CMD stays 0: the machine is always in ACPI mode, SCI_EN reads 1 (table 5.9). The blocks that we lack
// (PM1b, PM2, GPE0, GPE1) stay 0 with length 0.
void fill_registers(Fadt& fadt, const FixedHardware& fixed) {
    fadt.sci_int = fixed.sci;
    fadt.pm1a_evt_blk = fixed.pm1a_event;
    fadt.pm1_evt_len = kPm1EventLength;
    fadt.x_pm1a_evt_blk = io_register(fixed.pm1a_event, kPm1EventLength, AccessSize::kWord);
    fadt.pm1a_cnt_blk = fixed.pm1a_control;
    fadt.pm1_cnt_len = kPm1ControlLength;
    fadt.x_pm1a_cnt_blk = io_register(fixed.pm1a_control, kPm1ControlLength, AccessSize::kWord);
    if (fixed.pm_timer) {
        fadt.pm_tmr_blk = *fixed.pm_timer;
        fadt.pm_tmr_len = kPmTimerLength;
        fadt.x_pm_tmr_blk = io_register(*fixed.pm_timer, kPmTimerLength, AccessSize::kDWord);
    }
    fadt.reset_reg = io_register(fixed.reset_register, 1, AccessSize::kByte);
    fadt.reset_value = fixed.reset_value;
}

}  // namespace

Bytes build_fadt(const FixedHardware& fixed, Gpa facs, Gpa dsdt) {
    Fadt fadt{};
    fadt.header = table_header("FACP", kRevision);
    fadt.fadt_minor_version = kMinorVersion;
    // X_FIRMWARE_CTRL stays 0: with both set, Linux takes the FACS for two tables.
    fadt.firmware_ctrl = below_4gib(facs);
    fadt.dsdt = below_4gib(dsdt);
    fadt.x_dsdt = raw(dsdt);
    fadt.p_lvl2_lat = kNoC2;
    fadt.p_lvl3_lat = kNoC3;
    fadt.iapc_boot_arch = kVgaNotPresent | kCmosRtcNotPresent;
    fadt.flags = kWbinvd | kProcC1 | kSlpButton | kFixRtc | kTmrValExt | kResetRegSup | kHeadless;
    fadt.hypervisor_vendor_identity = {'c', 'a', 'r', 'r', 'e', 'l'};
    fill_registers(fadt, fixed);
    Bytes bytes;
    append(bytes, fadt);
    return seal(std::move(bytes));
}

}  // namespace carrel::acpi
