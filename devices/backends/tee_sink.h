// TeeSink: one guest's output to several sinks.
#pragma once

#include <utility>
#include <vector>

#include "vmm/base/byte_sink.h"

namespace carrel {

// Passes each write on to every sink, in order. The sinks outlive it and are fixed from the start.
class TeeSink final : public ByteSink {
  public:
    explicit TeeSink(std::vector<ByteSink*> sinks) : sinks_(std::move(sinks)) {}
    void write(std::span<const std::byte> bytes) override {
        for (ByteSink* sink : sinks_) sink->write(bytes);
    }

  private:
    const std::vector<ByteSink*> sinks_;
};

}  // namespace carrel
