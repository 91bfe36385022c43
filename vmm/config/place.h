// Place: where in a file something stands, so that an error can say it: "fleet.json: guests[1].memory".
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "vmm/base/result.h"

namespace carrel::config {

class Place {
  public:
    explicit Place(std::string file) : file_(std::move(file)) {}

    Place key(std::string_view name) const {
        return Place(file_, keys_ + (keys_.empty() ? "" : ".") + std::string(name));
    }
    Place item(size_t index) const { return Place(file_, fmt::format("{}[{}]", keys_, index)); }

    const std::string& file() const { return file_; }
    std::string text() const { return file_ + (file_.empty() || keys_.empty() ? "" : ": ") + keys_; }
    Error refused(std::string_view why, std::string advice = {}) const {
        const std::string where = text();
        return usage_error(fmt::format("{}{}{}", where, where.empty() ? "" : ": ", why), std::move(advice));
    }
    // An error of the model's, which begins with an option as `run` spells it: "--memory: …".
    Error translated(const Error& error) const;

  private:
    Place(std::string file, std::string keys) : file_(std::move(file)), keys_(std::move(keys)) {}

    std::string file_;
    std::string keys_;  // empty: the whole of it
};

}  // namespace carrel::config
