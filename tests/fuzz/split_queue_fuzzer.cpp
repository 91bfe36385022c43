// A hostile driver of a split ring; see queue_fuzzer.h.
#include "tests/fuzz/queue_fuzzer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    return carrel::virtio::fuzz::fuzz_queue(false, data, size);
}
