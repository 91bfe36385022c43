// Shared by the two files that turn KVM's structures into saved bytes and back.
#pragma once

#include <cstring>
#include <span>

#include "vmm/base/bytes.h"
#include "vmm/kvm/ioctl.h"

namespace carrel::kvm {

// Reads one structure by ioctl and appends it. KVM's structures are plain and were zeroed first: no byte of
// ours leaks.
template <class T>
Result<void> save_by_ioctl(ByteWriter& writer, const char* what, int fd, unsigned long request,
                           T value = {}) {
    TRY(checked_ioctl(what, fd, request, &value));
    writer.put_bytes(std::as_bytes(std::span(&value, 1)));
    return {};
}

template <class T>
Result<void> get_struct(ByteReader& reader, T& value) {
    const auto bytes = reader.get_bytes(sizeof(T));
    if (bytes.size() != sizeof(T)) return usage_error("saved state is cut short");
    std::memcpy(&value, bytes.data(), sizeof value);
    return {};
}

template <class T>
Result<void> restore_by_ioctl(ByteReader& reader, const char* what, int fd, unsigned long request) {
    T value{};
    TRY(get_struct(reader, value));
    TRY(checked_ioctl(what, fd, request, &value));
    return {};
}

}  // namespace carrel::kvm
