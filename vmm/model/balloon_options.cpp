#include "vmm/model/balloon_options.h"

#include <vector>

#include "vmm/model/device_config.h"
#include "vmm/model/machine_config.h"

namespace carrel {

Result<BalloonOptions> parse_balloon(const std::string& text) {
    const std::vector<std::string> words = split_words(text);
    BalloonOptions balloon;
    TRY_ASSIGN(balloon.size, parse_size(words.front(), "--balloon"));
    for (size_t i = 1; i < words.size(); ++i) {
        const auto interval = value_of(words[i], "statistics");
        if (!interval)
            return usage_error("--balloon: '" + words[i] + "' is not statistics=TIME",
                               "write --balloon=SIZE[,statistics=TIME]");
        TRY_ASSIGN(balloon.statistics, parse_duration(*interval, "--balloon: statistics="));
        if (balloon.statistics < kSecond)
            return usage_error("--balloon: statistics=" + *interval + " is less than a second",
                               "each question wakes the guest; write 1s or more");
    }
    return balloon;
}

Result<void> check_balloon(const BalloonOptions& balloon, uint64_t memory) {
    constexpr uint64_t kMostBytes = uint64_t{16} << 40;  // VIRTIO 1.3, 5.5.4: 32 bits count pages
    if (balloon.size % kPageSize != 0)
        return usage_error("--balloon: " + std::to_string(balloon.size) +
                           " bytes are no whole number of 4 KiB pages");
    if (balloon.size >= memory)
        return usage_error("--balloon: a balloon can't hold all of the guest's RAM",
                           "give less than --memory; Linux alone needs some 100M");
    if (balloon.size >= kMostBytes) return usage_error("--balloon: a balloon holds less than 16 TiB");
    return {};
}

}  // namespace carrel
