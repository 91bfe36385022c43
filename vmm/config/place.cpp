#include "vmm/config/place.h"

namespace carrel::config {
namespace {

// "write --cpu-cap, too" as a file has it: "write cpu-cap, too".
std::string without_dashes(std::string text) {
    for (size_t at = text.find("--"); at != text.npos; at = text.find("--", at)) text.erase(at, 2);
    return text;
}

}  // namespace

Error Place::translated(const Error& error) const {
    Error told = error;
    told.advice = without_dashes(error.advice);
    if (!error.what.starts_with("--")) {
        told.what = refused(error.what).what;
        return told;
    }
    const size_t colon = error.what.find(": ");
    told.what = key(error.what.substr(2, colon - 2)).refused(error.what.substr(colon + 2)).what;
    return told;
}

}  // namespace carrel::config
