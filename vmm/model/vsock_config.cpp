#include "vmm/model/vsock_config.h"

#include <vector>

#include "vmm/model/device_config.h"

namespace carrel {
namespace {

constexpr const char* kForm = "write PATH[,cid=N]; a comma in the path twice";

Result<uint32_t> parse_cid(const std::string& text) {
    const auto cid = whole_number(text);
    if (cid && *cid >= VsockConfig::kDefaultCid && *cid <= VsockConfig::kLastCid) return *cid;
    return usage_error("--vsock: cid=" + text + " is no address of a guest",
                       "write a whole number from 3 to 4294967294");
}

}  // namespace

Result<VsockConfig> parse_vsock(const std::string& text) {
    const std::vector<std::string> words = split_words(text);
    VsockConfig vsock;
    vsock.path = words.front();
    if (vsock.path.empty()) return usage_error("--vsock: '" + text + "' names no socket", kForm);
    if (vsock.path.size() > VsockConfig::kLongestPath)
        return usage_error("--vsock: the socket's path is longer than " +
                               std::to_string(VsockConfig::kLongestPath) + " characters",
                           "name a shorter one");
    for (size_t i = 1; i < words.size(); ++i) {
        const auto cid = value_of(words[i], "cid");
        if (!cid) return usage_error("--vsock: '" + words[i] + "' is not cid=N", kForm);
        TRY_ASSIGN(vsock.cid, parse_cid(*cid));
    }
    return vsock;
}

}  // namespace carrel
