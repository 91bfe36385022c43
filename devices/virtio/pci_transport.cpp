#include "devices/virtio/pci_transport.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "devices/saved_state.h"

namespace carrel::virtio {
namespace {

constexpr std::string_view kTag = "VPCI";
constexpr uint16_t kVersion = 1;

// 4.1.4, struct virtio_pci_cap, behind its first two bytes. The last field is in two of its kinds only.
struct VirtioCapability {
    uint8_t length;
    CapabilityType type;
    uint8_t bar;
    uint8_t id;
    uint8_t padding[2];
    uint32_t offset;
    uint32_t size;
    uint32_t more;
} __attribute__((packed));
constexpr uint8_t kShort = 16, kLong = 20;  // with the first two bytes
// 4.1.4.9: where the fields of the configuration access capability lie, from its start.
constexpr uint32_t kWindowBar = 4, kWindowOffset = 8, kWindowLength = 12, kWindowData = 16;

// PCI 3.0, 6.8.2, behind its first two bytes.
struct MsixCapability {
    uint16_t control;
    uint32_t table;    // offset, and the BAR in its low three bits
    uint32_t pending;  // the same
} __attribute__((packed));
constexpr uint32_t kMsixControl = 2;

// Advanced Features ECN, 2006.
struct ResetCapability {
    uint8_t length = 6;
    uint8_t features = 0b11;  // transactions pending, function level reset
    uint8_t control = 0;
    uint8_t status = 0;
} __attribute__((packed));
constexpr uint32_t kResetControl = 4;

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
}

pci::Identity identity_of(const VirtioDevice& device) {
    struct Class {
        uint8_t base, sub;
    };
    // PCI 3.0, appendix D.
    const auto pci_class = [&]() -> Class {
        switch (device.type()) {
            case DeviceType::kNet: return {0x02, 0x00};      // Ethernet
            case DeviceType::kBlock: return {0x01, 0x80};    // other mass storage
            case DeviceType::kConsole: return {0x07, 0x80};  // other communication
            default: return {0xff, 0x00};
        }
    }();
    const auto type = static_cast<uint16_t>(device.type());
    return {kVirtioVendor,
            static_cast<uint16_t>(kVirtioDeviceBase + type),
            kVirtioRevision,
            pci_class.base,
            pci_class.sub,
            kVirtioVendor,
            type};
}

bool overlaps(uint32_t offset, size_t size, uint32_t at, uint32_t length) {
    return offset < at + length && at < offset + size;
}

}  // namespace

void PciTransport::Registers::read(uint64_t offset, std::span<std::byte> data) {
    MutexLock lock(transport_.mutex_);
    transport_.read_bar(offset, data);
}

void PciTransport::Registers::write(uint64_t offset, std::span<const std::byte> data) {
    MutexLock lock(transport_.mutex_);
    transport_.write_bar(offset, data);
}

void PciTransport::Ports::read(uint64_t, std::span<std::byte> data) {
    std::ranges::fill(data, std::byte{0});
}

void PciTransport::Ports::write(uint64_t offset, std::span<const std::byte> data) {
    MutexLock lock(transport_.mutex_);
    transport_.write_ports(offset, data);
}

Result<std::unique_ptr<PciTransport>> PciTransport::create(VirtioDevice& device,
                                                           std::unique_ptr<DeviceRunner> runner,
                                                           const PciWiring& wiring, const Places& places,
                                                           std::unique_ptr<IrqLine> inta) {
    const auto queues = static_cast<uint16_t>(device.queue_sizes().size());
    TRY_ASSIGN(pci::Msix messages, pci::Msix::create(wiring.messages, static_cast<uint16_t>(queues + 1)));
    return std::make_unique<PciTransport>(device, std::move(runner), wiring, places, std::move(messages),
                                          std::move(inta));
}

PciTransport::PciTransport(VirtioDevice& device, std::unique_ptr<DeviceRunner> runner,
                           const PciWiring& wiring, const Places& places, pci::Msix messages,
                           std::unique_ptr<IrqLine> inta)
    : name_(device.name()),
      wiring_(wiring),
      runner_(std::move(runner)),
      interrupts_(std::move(messages), std::move(inta), static_cast<uint16_t>(device.queue_sizes().size())),
      config_(identity_of(device), places.memory, kBarSize),
      core_(device, offered_queue_features(wiring.packed_rings), broken_),
      memory_doorbells_(!places.ports) {
    MutexLock lock(mutex_);
    if (places.ports) config_.add_port_bar(*places.ports, kDoorbellPorts);
    add_capabilities();
    device.connect(wiring.memory, *this);
}

PciTransport::~PciTransport() {
    runner_.reset();  // nobody works for the device any more
    MutexLock lock(mutex_);
    core_.device().reset();
    doorbells_.clear();
    if (bar_) wiring_.bars.place(registers_, AddressSpace::kMemory, std::nullopt, kBarSize);
    if (port_bar_) wiring_.bars.place(ports_, AddressSpace::kPorts, std::nullopt, kDoorbellPorts);
}

void PciTransport::add_capabilities() {
    const auto queues = core_.queues();
    const auto add_body = [&](const VirtioCapability& body) REQUIRES(mutex_) {
        config_.add_capability(pci::kVendorSpecific, bytes_of(body).first(body.length - 2u));
    };
    const auto add = [&](CapabilityType type, uint32_t offset, uint32_t size) REQUIRES(mutex_) {
        const bool notify = type == CapabilityType::kNotify;
        add_body({notify ? kLong : kShort, type, 0, 0, {}, offset, size, kDoorbellSize});
    };
    add(CapabilityType::kCommon, kCommonPart, kCommonEnd);
    // 4.1.4: of several of a type, those that the device prefers come first.
    if (!memory_doorbells_) add_body({kLong, CapabilityType::kNotify, 1, 0, {}, 0, kDoorbellPorts, 0});
    add(CapabilityType::kNotify, kDoorbellPart, queues * kDoorbellSize);
    add(CapabilityType::kIsr, kIsrPart, 1);
    add(CapabilityType::kDevice, kDevicePart, kPart);
    // 4.1.4.9: the driver names a place in the BAR, and finds it in the last field.
    const VirtioCapability window{kLong, CapabilityType::kPciAccess, 0, 0, {}, 0, 0, 0};
    const VirtioCapability writable{0,  CapabilityType{0}, 0xff,         0,
                                    {}, ~uint32_t{0},      ~uint32_t{0}, ~uint32_t{0}};
    window_ = config_.add_capability(pci::kVendorSpecific, bytes_of(window), bytes_of(writable));
    const MsixCapability msix{queues, kMsixTablePart,
                              kMsixPendingPart};  // the size less one: one for configuration changes
    const MsixCapability msix_writable{pci::Msix::kEnable | pci::Msix::kFunctionMask, 0, 0};
    msix_ = config_.add_capability(pci::kMsix, bytes_of(msix), bytes_of(msix_writable));
    reset_ = config_.add_capability(pci::kAdvancedFeatures, bytes_of(ResetCapability{}));
}

void PciTransport::read_config(uint32_t offset, std::span<std::byte> data) {
    MutexLock lock(mutex_);
    if (overlaps(offset, data.size(), window_ + kWindowData, 4)) access_window(false);
    config_.read(offset, data);
    if (overlaps(offset, data.size(), pci::kStatus, 1) && interrupts_.intx_pending())
        data[pci::kStatus - offset] |= std::byte{pci::kStatusInterrupt};
}

void PciTransport::write_config(uint32_t offset, std::span<const std::byte> data) {
    MutexLock lock(mutex_);
    const uint32_t control = reset_ + kResetControl;
    if (overlaps(offset, data.size(), control, 1) && (data[control - offset] & std::byte{1}) != std::byte{0})
        return reset_all();
    config_.write(offset, data);
    if (overlaps(offset, data.size(), window_ + kWindowData, 4)) access_window(true);
    follow_config();
}

// 4.1.4.9.1: bar, offset and length as the driver set them; the length is 1, 2 or 4 and the offset a multiple
// of it.
void PciTransport::access_window(bool write) {
    const auto bar = config_.get<uint8_t>(window_ + kWindowBar);
    const auto offset = config_.get<uint32_t>(window_ + kWindowOffset);
    const auto length = config_.get<uint32_t>(window_ + kWindowLength);
    const bool width = length == 1 || length == 2 || length == 4;
    if (bar > 1 || !width || offset % length != 0 || offset >= kBarSize) return;
    std::array<std::byte, 4> data{};
    const auto part = std::span(data).first(length);
    if (bar == 1) {
        config_.read(window_ + kWindowData, part);
        if (write) write_ports(offset, part);
    } else if (write) {
        config_.read(window_ + kWindowData, part);
        write_bar(offset, part);
    } else {
        read_bar(offset, part);
        config_.write(window_ + kWindowData, part);
    }
}

// What a write of configuration space means for the rest of the machine.
void PciTransport::follow_config() {
    interrupts_.configure(config_.get<uint16_t>(msix_ + kMsixControl), config_.intx_disabled());
    place_bars();
}

void PciTransport::place_bars() {
    const auto memory = config_.bar();
    const auto ports = config_.port_bar();
    if (memory == bar_ && ports == port_bar_) return;
    doorbells_.clear();  // before somebody else gets the places
    if (memory != bar_)
        bar_ =
            wiring_.bars.place(registers_, AddressSpace::kMemory, memory, kBarSize) ? memory : std::nullopt;
    if (ports != port_bar_)
        port_bar_ =
            wiring_.bars.place(ports_, AddressSpace::kPorts, ports, kDoorbellPorts) ? ports : std::nullopt;
    bind_doorbells();
}

void PciTransport::bind_doorbells() {
    doorbells_.clear();
    if (!core_.active()) return;
    for (uint16_t queue = 0; queue < core_.queues(); ++queue) {
        if (!core_.ready(queue)) continue;
        if (port_bar_) bind(AddressSpace::kPorts, queue);
        if (bar_ && memory_doorbells_) bind(AddressSpace::kMemory, queue);
    }
}

// One that can't be bound costs exits, nothing else.
void PciTransport::bind(AddressSpace space, uint16_t queue) {
    auto doorbell = space == AddressSpace::kPorts
                        ? wiring_.doorbells.bind(space, *port_bar_, sizeof queue, queue, runner_->fd(queue))
                        : wiring_.doorbells.bind(space, *bar_ + kDoorbellPart + queue * kDoorbellSize, 0,
                                                 std::nullopt, runner_->fd(queue));
    if (doorbell.ok()) doorbells_.push_back(std::move(*doorbell));
}

// 4.1.5.2: before DRIVER_OK there is nothing to be notified of.
void PciTransport::ring(uint16_t queue) {
    if (core_.active() && core_.ready(queue)) runner_->ring(queue);
}

// 4.1.5.2: 16 bits, the queue's number.
void PciTransport::write_ports(uint64_t offset, std::span<const std::byte> data) {
    uint16_t queue = 0;
    if (offset != 0 || data.size() != sizeof queue) return;
    std::memcpy(&queue, data.data(), sizeof queue);
    ring(queue);
}

void PciTransport::read_bar(uint64_t offset, std::span<std::byte> data) {
    const uint64_t part = offset / kPart * kPart;
    const uint64_t at = offset - part;
    std::ranges::fill(data, std::byte{0});
    switch (part) {
        case kCommonPart: return read_common(at, data);
        case kIsrPart:
            if (at == 0) data[0] = static_cast<std::byte>(interrupts_.take_isr());
            return;
        case kDevicePart: return core_.device().read_config(at, data);
        case kMsixTablePart: return interrupts_.read_table(at, data);
        case kMsixPendingPart: return interrupts_.read_pending(at, data);
        default: return;
    }
}

void PciTransport::write_bar(uint64_t offset, std::span<const std::byte> data) {
    const uint64_t part = offset / kPart * kPart;
    const uint64_t at = offset - part;
    switch (part) {
        case kCommonPart: return write_common(at, data);
        case kDevicePart: return core_.device().write_config(at, data);
        case kDoorbellPart:
            ring(static_cast<uint16_t>(at / kDoorbellSize));
            if (!std::exchange(memory_doorbells_, true)) bind_doorbells();
            return;
        case kMsixTablePart: return interrupts_.write_table(at, data);
        default: return;
    }
}

void PciTransport::set_status(uint8_t status) {
    if (status == 0) doorbells_.clear();
    if (!core_.set_status(status)) return;
    if (status == 0) interrupts_.reset_device();
    bind_doorbells();
}

void PciTransport::config_changed() {
    generation_.fetch_add(1);  // 4.1.4.3.1
    interrupts_.signal_config();
}

// 2.1.2: a driver that still listens is told.
void PciTransport::needs_reset() {
    broken_ = true;
    interrupts_.signal_config();
}

void PciTransport::reset() {
    MutexLock lock(mutex_);
    reset_all();
}

void PciTransport::reset_all() {
    doorbells_.clear();
    core_.device().reset();
    core_.reset();
    interrupts_.reset();
    generation_ = 0;
    config_.reset();
    place_bars();
}

void PciTransport::save(ByteWriter& writer) const {
    const size_t start = writer.begin_part(kTag, kVersion);
    MutexLock lock(mutex_);
    config_.save(writer);
    interrupts_.save(writer);
    writer.put(generation_.load());
    core_.save(writer);
    writer.end_part(start);
}

Result<void> PciTransport::restore(ByteReader& reader) {
    ByteReader part = reader.part(kTag, kVersion);
    MutexLock lock(mutex_);
    reset_all();
    config_.restore(part);
    interrupts_.restore(part, config_.get<uint16_t>(msix_ + kMsixControl), config_.intx_disabled());
    generation_ = part.get<uint8_t>();
    auto restored = part.ok() ? core_.restore(part) : damaged_state(name_);
    if (restored.ok()) {
        place_bars();
        bind_doorbells();
        return {};
    }
    reset_all();
    return damaged_state(name_);
}

}  // namespace carrel::virtio
