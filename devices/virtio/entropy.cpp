#include "devices/virtio/entropy.h"

#include <sys/random.h>

#include <algorithm>

namespace carrel::virtio {

void Entropy::serve(uint16_t, DescriptorChain chain) {
    const WritablePieces pieces = chain.writable();
    uint32_t written = 0;
    for (size_t i = 0; i < pieces.size() && written < kMostBytes; ++i) {
        const auto piece = pieces[i].first(std::min<size_t>(pieces[i].size(), kMostBytes - written));
        const ssize_t got = ::getrandom(piece.data(), piece.size(), 0);
        if (got <= 0) break;
        written += static_cast<uint32_t>(got);
        if (static_cast<size_t>(got) < piece.size()) break;
    }
    chain.complete(written);
}

}  // namespace carrel::virtio
