#include "vmm/memory/chunk_table.h"

#include "tests/catch.h"
#include "vmm/memory/memory_account.h"

using namespace carrel;
using enum ChunkState;

TEST_CASE("account: what is charged never exceeds the limit, and a charge is all or nothing") {
    MemoryAccount account(1000);
    CHECK(account.charge(512));
    CHECK_FALSE(account.charge(489));
    CHECK(account.charged() == 512);
    CHECK(account.charge(488));
    CHECK_FALSE(account.charge(1));
    CHECK(account.charge(0));
    CHECK(account.left() == 0);
    account.release(1000);
    CHECK(account.charged() == 0);
    CHECK(account.peak() == 1000);
    CHECK_FALSE(account.charge(~uint64_t{0}));
}

TEST_CASE("account: a reserve stays, a lowered limit stops charges and a raised one allows them") {
    MemoryAccount account(100);
    CHECK_FALSE(account.charge(37, 64));
    CHECK(account.charge(36, 64));
    CHECK(account.charge(64));
    account.set_limit(50);
    CHECK(account.left() == 0);
    CHECK_FALSE(account.charge(0));
    account.release(60);
    CHECK_FALSE(account.charge(11));
    CHECK(account.charge(10));
    account.set_limit(60);
    CHECK(account.charge(10));
    CHECK_FALSE(account.charge(1, 1));
}

TEST_CASE("chunks: whole ones are given from every state that has less, and taken back") {
    ChunkTable table(2);
    CHECK(table.state(0) == kEmpty);
    CHECK(table.charged(0) == 0);
    table.give(0);
    CHECK(table.state(0) == kGranted);
    CHECK(table.charged(0) == kChunkPages);
    CHECK(table.has_page(0, 511));
    CHECK(table.take_all(0) == kChunkPages);
    CHECK(table.state(0) == kDiscarded);
    CHECK(table.charged(0) == 0);
    table.give(0);
    CHECK(table.state(0) == kGranted);
    CHECK(table.state(1) == kEmpty);
}

TEST_CASE("chunks: pages are charged once each, and a chunk that has none left was discarded") {
    ChunkTable table(1);
    table.give_page(0, 3);
    table.give_page(0, 4);
    CHECK(table.state(0) == kArmed);
    CHECK(table.charged(0) == 2);
    CHECK_FALSE(table.has_page(0, 5));
    CHECK(table.take_pages(0, 0, 4) == 1);
    CHECK(table.take_pages(0, 0, 4) == 0);
    CHECK(table.state(0) == kArmed);
    CHECK(table.take_pages(0, 4, 508) == 1);
    CHECK(table.state(0) == kDiscarded);
    table.give_page(0, 0);
    CHECK(table.take_all(0) == 1);
}

TEST_CASE("chunks: a piece of a whole one can go, and the rest stays charged by the page") {
    ChunkTable table(1);
    table.give(0);
    CHECK(table.take_pages(0, 10, 2) == 2);
    CHECK(table.state(0) == kArmed);
    CHECK(table.charged(0) == 510);
    CHECK_FALSE(table.has_page(0, 11));
    CHECK(table.has_page(0, 12));
    table.give_page(0, 11);
    CHECK(table.charged(0) == 511);
    CHECK(table.take_pages(0, 0, kChunkPages) == 511);
    CHECK(table.state(0) == kDiscarded);
}

TEST_CASE("chunks: what is denied is again what it was, or what was given meanwhile") {
    ChunkTable table(1);
    table.deny(0);
    CHECK(table.state(0) == kDenied);
    CHECK(table.beneath(0) == kEmpty);
    table.allow(0);
    CHECK(table.state(0) == kEmpty);
    table.give_page(0, 0);
    table.deny(0);
    CHECK(table.beneath(0) == kArmed);
    CHECK(table.charged(0) == 1);
    CHECK(table.take_all(0) == 1);
    CHECK(table.state(0) == kDenied);
    CHECK(table.beneath(0) == kDiscarded);
    table.give(0);
    CHECK(table.state(0) == kGranted);
}

TEST_CASE("chunks: one leaves page by page, and comes back page by page") {
    ChunkTable table(1);
    table.give(0);
    table.start_leaving(0);
    CHECK(table.state(0) == kLeaving);
    CHECK(table.charged(0) == kChunkPages);
    CHECK_FALSE(table.next_victim());
    for (uint64_t page = 0; page < kChunkPages; ++page) table.went(0, page);
    CHECK(table.state(0) == kLeaving);
    CHECK(table.charged(0) == 0);
    table.left(0);
    CHECK(table.state(0) == kSwapped);
    table.deny(0);
    CHECK(table.beneath(0) == kSwapped);
    table.allow(0);
    table.came(0, 7);
    CHECK(table.state(0) == kArmed);
    CHECK(table.charged(0) == 1);
    // It leaves again; what is in the file stays there.
    table.start_leaving(0);
    CHECK(table.charged(0) == 1);
    table.went(0, 7);
    table.left(0);
    CHECK(table.state(0) == kSwapped);
    table.lost(0, kChunkPages - 1);
    CHECK(table.state(0) == kSwapped);
    table.lost(0, 1);
    CHECK(table.state(0) == kDiscarded);
}

TEST_CASE("chunks: what was wanted while it left stays, and what was given back isn't missed") {
    ChunkTable table(1);
    table.give_page(0, 1);
    table.give_page(0, 2);
    table.start_leaving(0);
    table.went(0, 1);
    table.left(0);
    CHECK(table.state(0) == kArmed);
    CHECK(table.has_page(0, 2));
    // Without its last charged page it is still in the file, and no chunk of zeros.
    CHECK(table.take_pages(0, 2, 1) == 1);
    CHECK(table.state(0) == kSwapped);
    table.came(0, 1);
    table.start_leaving(0);
    CHECK(table.take_pages(0, 0, kChunkPages) == 1);
    CHECK(table.state(0) == kLeaving);
    table.left(0);
    CHECK(table.state(0) == kDiscarded);
    table.give_page(0, 3);
    table.start_leaving(0);
    table.went(0, 3);
    table.left(0);
    CHECK(table.take_all(0) == 0);
    CHECK(table.state(0) == kDiscarded);
    table.give(0);
    CHECK(table.state(0) == kGranted);
}

TEST_CASE("chunks: a victim is neither pinned nor empty, and what is fresh gets a second chance") {
    ChunkTable table(4);
    CHECK_FALSE(table.next_victim());
    for (size_t chunk = 0; chunk < 4; ++chunk) table.give(chunk);
    CHECK(table.next_victim() == 0);  // all were fresh: once round
    table.take_all(1);
    table.give(1);
    CHECK(table.next_victim() == 2);
    table.pin(3);
    table.pin(3);
    CHECK(table.next_victim() == 0);
    table.take_all(0);
    CHECK(table.next_victim() == 1);
    CHECK(table.next_victim() == 2);
    CHECK_FALSE(table.unpin(3));
    table.owe(3);
    CHECK(table.unpin(3));
    CHECK(table.next_victim() == 3);
    table.pin(3);
    CHECK_FALSE(table.unpin(3));
}
