#include "vmm/base/result.h"

#include <cerrno>
#include <cstring>

namespace carrel {

std::string Error::sentence() const {
    std::string text = advice.empty() ? what : what + "; " + advice;
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
    }
    return text;
}

Error os_error(int code, std::string what, std::string advice) {
    const char* name = strerrordesc_np(code);
    if (advice.empty() && (code == EMFILE || code == ENFILE))
        advice = "raise the limit on open files (ulimit -n)";
    what += ": ";
    what += name != nullptr ? name : "error " + std::to_string(code);
    return Error{Fault::kHost, std::move(what), std::move(advice)};
}

}  // namespace carrel
