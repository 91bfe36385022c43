// JsonFields: an object of JSON whose keys are asked for one after the other; what is left at the end is
// unknown. The first thing that is wrong is kept, and told by finish().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vmm/base/clock.h"
#include "vmm/config/key.h"
#include "vmm/config/strict_json.h"

namespace carrel::app {

// `object` must live as long.
class JsonFields {
  public:
    JsonFields(const config::Json& object, config::Place place);

    void number(const char* key, uint32_t& value, uint32_t least, uint32_t most);
    void time(const char* key, Nanoseconds& value);  // above zero
    void percent(const char* key, uint32_t& value);  // "50%", at most 100
    void text(const char* key, std::string& value);
    // Its value, where it stands there: for whoever reads it.
    const config::Json* find(const char* key);
    config::Place place(const char* key) const { return place_.key(key); }
    void refuse(Error error);
    void refuse(const Result<void>& result);

    bool ok() const { return !error_; }
    // `advice`: where the keys are explained.
    Result<void> finish(const char* advice) const;

  private:
    std::optional<std::string> typed(const char* key, config::KeyType type);
    void refuse_value(const char* key, Error error);

    const config::Json& object_;
    config::Place place_;
    std::vector<std::string_view> known_;
    std::optional<Error> error_;
};

}  // namespace carrel::app
