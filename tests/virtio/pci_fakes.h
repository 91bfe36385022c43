// What a transport is wired to in the tests: an address space for a BAR, and KVM's part, which rings eventfds
// and counts messages.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "devices/pci/bar_space.h"
#include "vmm/bus/doorbell.h"
#include "vmm/bus/irq_line.h"
#include "vmm/bus/message_interrupt.h"

namespace carrel::virtio::test {

class FakeBars final : public pci::BarSpace {
  public:
    bool place(Device& registers, AddressSpace space, std::optional<uint64_t> base, uint64_t size) override {
        if (space == AddressSpace::kPorts) {
            ports_at = base;
            ports = base ? &registers : nullptr;
            return base.has_value();
        }
        ++moves;
        at = free ? base : std::nullopt;
        bytes = size;
        device = at ? &registers : nullptr;
        return at.has_value();
    }
    bool free = true;  // false: somebody else has every place
    int moves = 0;
    std::optional<uint64_t> at;
    uint64_t bytes = 0;
    Device* device = nullptr;
    std::optional<uint64_t> ports_at;
    Device* ports = nullptr;
};

// A vector's line, as the machine sees it.
struct FakeLine {
    MsiMessage message;
    bool routed = false;
    int signals = 0;  // that reached somebody
    int lost = 0;     // without a route
};

class FakeMessages final : public MessageInterrupts {
  public:
    Result<std::unique_ptr<MessageInterrupt>> create() override {
        lines.push_back(std::make_shared<FakeLine>());
        return std::unique_ptr<MessageInterrupt>(std::make_unique<Line>(lines.back(), *this));
    }
    std::vector<std::shared_ptr<FakeLine>> lines;
    bool refuse = false;  // routes, as KVM does where the message makes no sense
    std::mutex hold;      // whoever has it keeps route() from returning, as KVM may
    std::atomic<int> waiting = 0;

  private:
    class Line final : public MessageInterrupt {
      public:
        Line(std::shared_ptr<FakeLine> line, FakeMessages& all) : line_(std::move(line)), all_(all) {}
        Result<void> route(const MsiMessage& message) override {
            ++all_.waiting;
            const std::lock_guard held(all_.hold);
            --all_.waiting;
            if (all_.refuse) return host_error("refused");
            line_->message = message;
            line_->routed = true;
            return {};
        }
        void unroute() override { line_->routed = false; }
        int descriptor() const override { return -1; }
        void signal() noexcept override { ++(line_->routed ? line_->signals : line_->lost); }

      private:
        const std::shared_ptr<FakeLine> line_;
        FakeMessages& all_;
    };
};

class FakeDoorbells final : public Doorbells {
  public:
    struct Bound {
        uint64_t address;
        int fd;
        std::optional<uint64_t> match = std::nullopt;
        bool operator==(const Bound&) const = default;
    };
    Result<std::unique_ptr<Doorbell>> bind(AddressSpace, uint64_t address, uint32_t,
                                           std::optional<uint64_t> match, int event_fd) override {
        const bool taken = std::ranges::any_of(
            bound, [&](const Bound& b) { return b.address == address && b.match == match; });
        if (refuse || taken) return host_error("refused");
        bound.push_back({address, event_fd, match});
        return std::unique_ptr<Doorbell>(std::make_unique<Binding>(bound, bound.back()));
    }
    // A guest's write, which KVM answers itself where a doorbell is bound.
    bool ring(uint64_t address, uint64_t value = 0) const {
        for (const Bound& b : bound) {
            const uint64_t one = 1;
            if (b.address == address && b.match.value_or(value) == value)
                return ::write(b.fd, &one, sizeof one) == sizeof one;
        }
        return false;
    }
    std::vector<Bound> bound;
    bool refuse = false;

  private:
    class Binding final : public Doorbell {
      public:
        Binding(std::vector<Bound>& all, Bound mine) : all_(all), mine_(mine) {}
        ~Binding() override { std::erase(all_, mine_); }

      private:
        std::vector<Bound>& all_;
        const Bound mine_;
    };
};

// What the function owns; the level is `to`'s.
template <class Irq>
class ForwardedIrq final : public IrqLine {
  public:
    explicit ForwardedIrq(Irq& to) : to_(to) {}
    void set(bool level) override { to_.set(level); }

  private:
    Irq& to_;
};

}  // namespace carrel::virtio::test
