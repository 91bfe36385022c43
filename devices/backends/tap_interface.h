// TapInterface: a tap of the host's, opened or inherited, checked and set up for frames with headers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vmm/base/fd.h"
#include "vmm/base/opener.h"
#include "vmm/base/result.h"

namespace carrel {

struct TapInterface {
    std::string name;
    std::vector<Fd> queues;  // O_NONBLOCK; each frame with a NetHeader before it
    uint16_t mtu = 0;
    bool udp_segmentation = false;  // Linux 6.2 and newer

    // One that exists. Errors name `key` and say what to do about it.
    static Result<TapInterface> open(Opener& opener, const std::string& name, unsigned queues,
                                     const char* key);
    // One that whoever started us has opened as descriptor `fd`, which stays as it is.
    static Result<TapInterface> adopt(int fd, const char* key);
};

}  // namespace carrel
