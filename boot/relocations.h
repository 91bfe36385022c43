// The relocation table of a Linux/x86-64 kernel: where in the image its own virtual address is written down.
//
// It follows the ELF file in the payload (arch/x86/boot/compressed: "vmlinux.bin.all-y := vmlinux.bin
// vmlinux.relocs"). Words of 32 bits, each the sign-extended link address of a place to change; read
// backwards from the end:
//
//   up to 6.14:  | 0 | 64-bit places | 0 | inverse 32-bit places (per-CPU) | 0 | 32-bit places |
//   later:       | 0 | 64-bit places | 0 | 32-bit places |
//   end of the ELF file ^                                                  end of the payload ^
//
// The two are told apart by how many zeros there are, never by version.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace carrel::boot {

// Addresses of the image that the table speaks of.
struct LinkedImage {
    uint64_t link_address;  // virtual, of the first byte: 0xffffffff81000000
    std::span<std::byte> bytes;
};

// Borrows the bytes, which must stay.
class RelocationTable {
  public:
    // Whether the bytes may be a table, by a look at their size and first word.
    static bool is_likely(std::span<const std::byte> bytes);
    // Nothing where the bytes aren't two or three lists, or all lists are empty: zeros that follow a file by
    // chance are no table.
    static std::optional<RelocationTable> parse(std::span<const std::byte> bytes);

    // Whether each place lies in the image, `size` bytes from `link_address` on. To be asked before apply().
    bool fits(uint64_t link_address, uint64_t size) const;
    bool fits(const LinkedImage& image) const { return fits(image.link_address, image.bytes.size()); }
    // Makes the image one for `link_address + delta`.
    void apply(const LinkedImage& image, uint64_t delta) const;

    // Of a table: those of Linux 6.1 to 7.2 have 0.8 to 1.3 MB, one with all of a kernel's drivers built in
    // some times that.
    static constexpr size_t kMostBytes = 16 << 20;

    bool has_inverse_list() const { return lists_ == 3; }
    uint64_t size() const { return size_; }  // places

  private:
    using Words = std::span<const std::byte>;
    RelocationTable() = default;
    Words words32_, inverse32_, words64_;
    int lists_ = 0;
    uint64_t size_ = 0;
};

}  // namespace carrel::boot
