#include "tests/acpi/acpi_walk.h"

#include "boot/acpi/platform.h"

namespace carrel::acpi {
namespace {

// Offsets from ACPI 6.5: table 5.3 (RSDP), 5.2.6 (header), table 5.9 (FADT).
constexpr size_t kRsdpXsdtAddress = 24;
constexpr size_t kHeaderLength = 4;
constexpr size_t kHeaderSize = 36;
constexpr size_t kFadtFirmwareCtrl = 36;
constexpr size_t kFadtXDsdt = 140;

class Walk {
  public:
    Walk(const Bytes& image, Gpa base) : image_(image), base_(raw(base)) {}

    std::map<std::string, Bytes> run() {
        const auto rsdp = std::span(image_).first(kHeaderSize);
        found_["RSDP"] = Bytes(rsdp.begin(), rsdp.end());
        const Bytes xsdt = take(read_at<uint64_t>(image_, kRsdpXsdtAddress));
        for (size_t at = kHeaderSize; at + 8 <= xsdt.size(); at += 8) take(read_at<uint64_t>(xsdt, at));
        const Bytes fadt = found_["FACP"];
        if (fadt.empty()) return found_;
        take(read_at<uint32_t>(fadt, kFadtFirmwareCtrl));
        take(read_at<uint64_t>(fadt, kFadtXDsdt));
        return found_;
    }

  private:
    Bytes take(uint64_t address) {
        const uint64_t offset = address - base_;
        if (offset > image_.size() || image_.size() - offset < kHeaderLength + 4) return {};
        const auto rest = std::span(image_).subspan(offset);
        const auto length = read_at<uint32_t>(rest, kHeaderLength);
        if (length > rest.size()) return {};
        const std::string signature(reinterpret_cast<const char*>(rest.data()), 4);
        found_[signature] = Bytes(rest.begin(), rest.begin() + length);
        return found_[signature];
    }

    const Bytes& image_;
    uint64_t base_;
    std::map<std::string, Bytes> found_;
};

Platform everything() {
    Platform platform;
    for (uint32_t id = 0; id < 600; ++id) platform.apic_ids.push_back(id);
    platform.pci->last_bus = 255;
    platform.pci->mmio64 = MemoryWindow{Gpa{64 * kGiB}, 32 * kGiB};
    platform.pci->ecam = address_map::kEcam;
    for (uint32_t i = 0; i < 30; ++i)
        platform.virtio_mmio.push_back({Gpa{0xd000'0000} + i * kPageSize, 0x200, 24 + i});
    return platform;
}

}  // namespace

std::map<std::string, Bytes> walk_tables(const Bytes& image, Gpa base) {
    return Walk(image, base).run();
}

std::map<std::string, Platform> sample_platforms() {
    const Platform bare{.apic_ids = {0}, .com1 = {}, .pci = {}};
    return {{"default", Platform{.apic_ids = {0, 1, 2, 3}}}, {"bare", bare}, {"everything", everything()}};
}

}  // namespace carrel::acpi
