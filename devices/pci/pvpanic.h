// Pvpanic: the register through which a kernel says that it has panicked. QEMU's docs/specs/pvpanic.rst, PCI
// function 1b36:0011.
//
//   BAR 0, a page
//   +0  r-  which events it knows: kPanicked, kCrashLoaded
//       -w  what has happened
//
// Linux finds it by its ids (pvpanic-pci). Its word counts where a line on the console would be missed:
// nobody prints, or prints elsewhere.
//
// Missing: the shutdown event (bit 2), and the ISA port of older machines.
#pragma once

#include <memory>

#include "devices/pci/bar_space.h"
#include "devices/pci/endpoint_config.h"
#include "devices/pci/function.h"
#include "vmm/base/mutex.h"
#include "vmm/bus/device.h"
#include "vmm/bus/panic_listener.h"

namespace carrel::pci {

class Pvpanic final : public Function {
  public:
    static constexpr uint16_t kVendor = 0x1b36;
    static constexpr uint16_t kDevice = 0x0011;
    static constexpr uint8_t kClassSystem = 0x08;
    static constexpr uint8_t kSubclassOther = 0x80;
    static constexpr uint32_t kSize = 0x1000;
    enum Event : uint8_t {
        kPanicked = 1,
        kCrashLoaded = 2,  // and a crash kernel will run now
    };

    // Both outlive it. `bar_base`: where the BAR lies until the guest moves it.
    Pvpanic(BarSpace& bars, PanicListener& listener, uint32_t bar_base);
    ~Pvpanic() override;

    std::string_view name() const override { return "pvpanic"; }
    void read_config(uint32_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write_config(uint32_t offset, std::span<const std::byte> data) override EXCLUDES(mutex_);
    void reset() override EXCLUDES(mutex_);
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

  private:
    // What answers in the BAR.
    class Register final : public Device {
      public:
        explicit Register(PanicListener& listener) : listener_(listener) {}
        std::string_view name() const override { return "pvpanic"; }
        void read(uint64_t offset, std::span<std::byte> data) override;
        void write(uint64_t offset, std::span<const std::byte> data) override;

      private:
        PanicListener& listener_;
    };

    void place_bar() REQUIRES(mutex_);

    BarSpace& bars_;
    Register register_;
    mutable Mutex mutex_;
    EndpointConfig config_ GUARDED_BY(mutex_);
    std::optional<uint64_t> bar_ GUARDED_BY(mutex_);  // where the register answers
};

}  // namespace carrel::pci
