// What may be said after --vsock.
#include "vmm/model/vsock_config.h"
#include "tests/catch.h"

using namespace carrel;

TEST_CASE("--vsock: a path, and the guest's address") {
    CHECK(parse_vsock("/tmp/v").value() == VsockConfig{"/tmp/v", 3});
    CHECK(parse_vsock("a,,b,cid=4294967294").value() == VsockConfig{"a,b", 0xffff'fffe});
    CHECK(parse_vsock("cid=9").value() == VsockConfig{"cid=9", 3});  // a file of that name
    for (const char* const wrong :
         {"", ",cid=3", "v,", "v,cid=", "v,cid=2", "v,cid=-1", "v,cid=4294967295", "v,port=1", "v,cid=3x"})
        CHECK_FALSE(parse_vsock(wrong).ok());
    CHECK(parse_vsock(std::string(VsockConfig::kLongestPath, 'a')).ok());
    CHECK_FALSE(parse_vsock(std::string(VsockConfig::kLongestPath + 1, 'a')).ok());
}
