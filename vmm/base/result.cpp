#include "vmm/base/result.h"

#include <cstring>

namespace carrel {

Error os_error(int code, std::string what, std::string advice) {
    const char* name = strerrordesc_np(code);
    what += ": ";
    what += name != nullptr ? name : "error " + std::to_string(code);
    return Error{Fault::kHost, std::move(what), std::move(advice)};
}

}  // namespace carrel
