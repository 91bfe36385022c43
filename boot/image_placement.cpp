#include "boot/image_placement.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "vmm/model/gpa.h"

namespace carrel::boot {
namespace {

void copy_nonzero_pages(std::span<const std::byte> from, std::byte* to) {
    while (!from.empty()) {
        // Steps that end at page boundaries of the target: what is saved are pages of the guest.
        const uint64_t to_page_end = kPageSize - reinterpret_cast<uintptr_t>(to) % kPageSize;
        const auto piece = from.first(std::min<uint64_t>(from.size(), to_page_end));
        if (!is_zero(piece)) std::memcpy(to, piece.data(), piece.size());
        from = from.subspan(piece.size());
        to += piece.size();
    }
}

struct Span {
    uint64_t begin, end;
};

// One segment's way from the payload to the image; all in offsets into the room.
struct Move {
    uint64_t from, to;
    uint64_t size;   // that are in the file
    uint64_t moved;  // `size` without the zeros at its end, which need no move
    uint64_t mem_size;
};

std::vector<Move> plan_moves(const ElfFile& elf, const UnpackedPayload& payload) {
    const uint64_t image_at = elf.segments.front().offset;
    std::vector<Move> moves;
    for (const ElfSegment& segment : elf.segments) {
        Move move{segment.offset, image_at + (segment.paddr - elf.lowest()), segment.file_size,
                  segment.file_size, segment.mem_size};
        if (move.from != move.to) {
            move.moved = without_zero_tail(payload.room, {move.from, move.from + move.size}, payload.skipped);
        }
        moves.push_back(move);
    }
    return moves;
}

void do_move(std::span<std::byte> room, const Move& move) {
    if (move.from == move.to || move.moved == 0) return;
    std::memmove(room.data() + move.to, room.data() + move.from, move.moved);
}

void zero(std::span<std::byte> room, Span span) {
    if (span.begin < span.end) std::memset(room.data() + span.begin, 0, span.end - span.begin);
}

// What must read as zero behind the moved bytes: nothing to do outside the payload (fresh) and in the zeros
// at the end of the segment's own old place.
void zero_tail(const UnpackedPayload& payload, const Move& move) {
    const uint64_t begin = move.to + move.moved;
    const uint64_t end = std::min(move.to + move.mem_size, payload.size);
    const Span known_zero{move.from + move.moved, move.from + move.size};
    zero(payload.room, {begin, std::min(end, known_zero.begin)});
    zero(payload.room, {std::max(begin, known_zero.end), end});
}

}  // namespace

void place_from_bytes(const ElfFile& elf, std::span<const std::byte> file, std::span<std::byte> image) {
    for (const ElfSegment& segment : elf.segments) {
        copy_nonzero_pages(file.subspan(segment.offset, segment.file_size),
                           image.subspan(segment.paddr - elf.lowest(), segment.file_size).data());
    }
}

// With the same order in file and memory, segments that move down never hit the source of one that moves up,
// and vice versa; among themselves they go in the direction of the move, as memmove does.
bool place_unpacked(const ElfFile& elf, const UnpackedPayload& payload) {
    for (size_t i = 1; i < elf.segments.size(); ++i) {
        const ElfSegment& before = elf.segments[i - 1];
        if (before.offset + before.file_size > elf.segments[i].offset) return false;
    }
    const std::vector<Move> moves = plan_moves(elf, payload);
    for (const Move& move : moves) {
        if (move.to < move.from) do_move(payload.room, move);
    }
    for (auto move = moves.rbegin(); move != moves.rend(); ++move) {
        if (move->to > move->from) do_move(payload.room, *move);
    }
    for (const Move& move : moves) zero_tail(payload, move);
    return true;
}

}  // namespace carrel::boot
