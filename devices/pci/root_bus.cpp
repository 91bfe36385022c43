#include "devices/pci/root_bus.h"

#include "devices/saved_state.h"
#include "vmm/base/check.h"
#include "vmm/bus/device.h"

namespace carrel::pci {
namespace {
constexpr std::string_view kTag = "PCIB";
constexpr uint16_t kVersion = 1;
constexpr uint8_t kNoMore = 0xff;  // ends the list of slots
}  // namespace

void RootBus::attach(unsigned slot, Function& function) {
    CHECK(slot < kSlots && slots_[slot] == nullptr);
    slots_[slot] = &function;
}

Function* RootBus::find(const ConfigAddress& address) const {
    const bool ours = address.bus == 0 && address.slot < kSlots && address.function == 0;
    return ours ? slots_[address.slot] : nullptr;
}

void RootBus::read(const ConfigAddress& address, std::span<std::byte> data) {
    Function* const function = find(address);
    if (function == nullptr) return fill_ones(data);
    function->read_config(address.offset, data);
}

void RootBus::write(const ConfigAddress& address, std::span<const std::byte> data) {
    if (Function* const function = find(address)) function->write_config(address.offset, data);
}

void RootBus::reset() {
    for (Function* const function : slots_)
        if (function != nullptr) function->reset();
}

void RootBus::save(ByteWriter& writer) const {
    const size_t start = writer.begin_part(kTag, kVersion);
    for (size_t slot = 0; slot < kSlots; ++slot) {
        if (slots_[slot] == nullptr) continue;
        writer.put(static_cast<uint8_t>(slot));
        slots_[slot]->save(writer);
    }
    writer.put(kNoMore);
    writer.end_part(start);
}

Result<void> RootBus::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    auto result = restore_functions(part);
    if (!result.ok()) reset();
    return result;
}

Result<void> RootBus::restore_functions(ByteReader& part) {
    for (size_t slot = 0; slot < kSlots; ++slot) {
        if (slots_[slot] == nullptr) continue;
        if (part.get<uint8_t>() != slot) return damaged_state("pci");
        TRY(slots_[slot]->restore(part));
    }
    if (part.get<uint8_t>() != kNoMore || !complete(part)) return damaged_state("pci");
    return {};
}

}  // namespace carrel::pci
