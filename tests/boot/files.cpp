#include "tests/boot/files.h"

#include <lz4.h>
#if CARREL_HAVE_LZO
#include <lzo/lzo1x.h>
#endif
#include <lzma.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

namespace carrel::boot::testing {
namespace {

constexpr size_t kNoteSize = 12 + 4 + 8;

void append(Bytes& bytes, const void* from, size_t size) {
    const auto* const first = static_cast<const std::byte*>(from);
    bytes.insert(bytes.end(), first, first + size);
}

Bytes pvh_note(uint32_t entry) {
    Bytes note;
    put<uint32_t>(note, 0, 4);
    put<uint32_t>(note, 4, 8);
    put<uint32_t>(note, 8, 18);
    put(note, 12, std::array<char, 4>{'X', 'e', 'n', 0});
    put<uint64_t>(note, 16, entry);
    return note;
}

Bytes pack_lz4(const Bytes& payload) {
    Bytes packed;
    put<uint32_t>(packed, 0, 0x184c2102);
    constexpr size_t kBlock = 8 << 20;
    for (size_t at = 0; at < payload.size(); at += kBlock) {
        const auto size = static_cast<int>(std::min(kBlock, payload.size() - at));
        Bytes block(static_cast<size_t>(LZ4_compressBound(size)));
        const int got =
            LZ4_compress_default(reinterpret_cast<const char*>(payload.data() + at),
                                 reinterpret_cast<char*>(block.data()), size, LZ4_compressBound(size));
        put(packed, packed.size(), static_cast<uint32_t>(got));
        append(packed, block.data(), static_cast<size_t>(got));
    }
    return packed;
}

Bytes pack_zstd(const Bytes& payload) {
    Bytes packed(ZSTD_compressBound(payload.size()));
    packed.resize(ZSTD_compress(packed.data(), packed.size(), payload.data(), payload.size(), 1));
    return packed;
}

Bytes pack_xz(const Bytes& payload) {
    Bytes packed(lzma_stream_buffer_bound(payload.size()));
    size_t size = 0;
    lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const uint8_t*>(payload.data()),
                            payload.size(), reinterpret_cast<uint8_t*>(packed.data()), &size, packed.size());
    packed.resize(size);
    return packed;
}

Bytes pack_gzip(const Bytes& payload) {
    z_stream stream{};
    deflateInit2(&stream, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    Bytes packed(deflateBound(&stream, payload.size()) + 32);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(payload.data()));
    stream.avail_in = static_cast<uInt>(payload.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(packed.size() - stream.avail_out);
    deflateEnd(&stream);
    return packed;
}

#if CARREL_HAVE_LZO
void put_big_endian(Bytes& bytes, uint32_t value) {
    for (const int shift : {24, 16, 8, 0}) bytes.push_back(static_cast<std::byte>(value >> shift));
}

// As lzop -9 writes it; checksums, which nobody looks at, are zero.
Bytes pack_lzo(const Bytes& payload) {
    constexpr unsigned char kHeader[] = {0x89, 'L',  'Z', 'O', 0, 13, 10, 26, 10,  0x10, 0x40, 0x20, 0xa0,
                                         9,    0x40, 3,   9,   3, 0,  0,  1,  0,   0,    0,    0,    0,
                                         0,    0,    0,   0,   0, 0,  0,  1,  'v', 0,    0,    0,    0};
    Bytes packed;
    append(packed, kHeader, sizeof kHeader);
    std::vector<unsigned char> work(LZO1X_1_MEM_COMPRESS);
    constexpr size_t kBlock = 256 << 10;
    for (size_t at = 0; at < payload.size(); at += kBlock) {
        const size_t size = std::min(kBlock, payload.size() - at);
        std::vector<unsigned char> block(size + size / 16 + 67);
        lzo_uint got = block.size();
        const auto* const from = reinterpret_cast<const unsigned char*>(payload.data() + at);
        lzo1x_1_compress(from, size, block.data(), &got, work.data());
        const bool stored = got >= size;
        put_big_endian(packed, static_cast<uint32_t>(size));
        put_big_endian(packed, static_cast<uint32_t>(stored ? size : got));
        put_big_endian(packed, 0);
        append(packed, stored ? from : block.data(), stored ? size : got);
    }
    put_big_endian(packed, 0);
    return packed;
}
#endif

setup_header header_for(size_t payload_length) {
    setup_header header;
    std::memset(&header, 0, sizeof header);
    header.setup_sects = kSetupSize / 512 - 1;
    header.boot_flag = 0xaa55;
    header.jump = 0x6aeb;  // its second byte is the header's length: 0x202 + 0x6a
    header.header = 0x53726448;
    header.version = 0x020f;
    header.loadflags = 1;
    header.initrd_addr_max = 0x7fffffff;
    header.kernel_alignment = 0x200000;
    header.relocatable_kernel = 1;
    header.xloadflags = XLF_KERNEL_64;
    header.cmdline_size = 2047;
    header.payload_offset = kCodeSize;
    header.payload_length = static_cast<uint32_t>(payload_length);
    header.pref_address = kPhysicalBase;
    header.init_size = 0x200000;
    return header;
}

}  // namespace

ElfSpec::ElfSpec() : segments{{kPhysicalBase, 0x100, 0x100}} {}

Bytes make_elf(const ElfSpec& spec) {
    const bool note = spec.pvh_entry != 0;
    const size_t headers = spec.segments.size() + (note ? 1 : 0);
    Bytes elf(sizeof(Elf64_Ehdr) + headers * sizeof(Elf64_Phdr));
    for (size_t i = 0; i < spec.segments.size(); ++i) {
        const auto& segment = spec.segments[i];
        elf.resize(elf.size() + segment.gap);
        Elf64_Phdr header{};
        header.p_type = PT_LOAD;
        header.p_offset = elf.size();
        header.p_paddr = segment.paddr;
        header.p_vaddr = segment.paddr - kPhysicalBase + kLinkBase;
        header.p_filesz = segment.size;
        header.p_memsz = segment.mem_size;
        set_elf_header(elf, i, header);
        elf.insert(elf.end(), segment.size, static_cast<std::byte>(0x11 * (i + 1)));
    }
    if (note) {
        Elf64_Phdr header{};
        header.p_type = PT_NOTE;
        header.p_offset = elf.size();
        header.p_filesz = header.p_memsz = kNoteSize;
        set_elf_header(elf, spec.segments.size(), header);
        const Bytes bytes = pvh_note(spec.pvh_entry);
        append(elf, bytes.data(), bytes.size());
    }
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_entry = spec.entry;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<uint16_t>(headers);
    header.e_shoff = elf.size();
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 1;
    elf.resize(elf.size() + sizeof(Elf64_Shdr));
    put(elf, 0, header);
    append(elf, spec.tail.data(), spec.tail.size() * sizeof(uint32_t));
    return elf;
}

Elf64_Phdr elf_header(const Bytes& elf, size_t index) {
    return get<Elf64_Phdr>(elf, sizeof(Elf64_Ehdr) + index * sizeof(Elf64_Phdr));
}

void set_elf_header(Bytes& elf, size_t index, const Elf64_Phdr& header) {
    put(elf, sizeof(Elf64_Ehdr) + index * sizeof(Elf64_Phdr), header);
}

const std::vector<Packing>& known_packings() {
    static const std::vector<Packing> kPackings = {
        Packing::kLz4,
        Packing::kZstd,
        Packing::kXz,
        Packing::kGzip,
#if CARREL_HAVE_LZO
        Packing::kLzo
#endif
    };
    return kPackings;
}

Bytes pack(const Bytes& payload, Packing packing) {
    Bytes packed;
    switch (packing) {
        case Packing::kNone: packed = payload; break;
        case Packing::kLz4: packed = pack_lz4(payload); break;
        case Packing::kZstd: packed = pack_zstd(payload); break;
        case Packing::kXz: packed = pack_xz(payload); break;
        case Packing::kGzip: return pack_gzip(payload);  // ends with its own size
#if CARREL_HAVE_LZO
        case Packing::kLzo: packed = pack_lzo(payload); break;
#else
        case Packing::kLzo: break;
#endif
        case Packing::kUnknown:
            packed = payload;
            packed[0] = std::byte{0x5d};
            break;
    }
    put(packed, packed.size(), static_cast<uint32_t>(payload.size()));
    return packed;
}

Bytes make_bzimage(const Bytes& payload, Packing packing) {
    const Bytes packed = pack(payload, packing);
    Bytes file(kSetupSize + kCodeSize + packed.size());
    put(file, offsetof(boot_params, hdr), header_for(packed.size()));
    std::copy(packed.begin(), packed.end(), file.begin() + kSetupSize + kCodeSize);
    return file;
}

Bytes make_bzimage_of(Bytes stream, size_t size) {
    Bytes file = make_bzimage({std::byte{0}}, Packing::kNone);
    auto header = get<setup_header>(file, offsetof(boot_params, hdr));
    put(stream, stream.size(), static_cast<uint32_t>(size));
    header.payload_length = static_cast<uint32_t>(stream.size());
    put(file, offsetof(boot_params, hdr), header);
    file.resize(kSetupSize + kCodeSize);
    file.insert(file.end(), stream.begin(), stream.end());
    return file;
}

Bytes make_zstd_frame(const Bytes& payload, unsigned window_log) {
    Bytes frame;
    put(frame, 0, uint32_t{0xfd2fb528});
    put(frame, 4, uint8_t{0});  // no content size, no checksum
    put(frame, 5, static_cast<uint8_t>((window_log - 10) << 3));
    const auto block = static_cast<uint32_t>(payload.size() << 3 | 1);  // the last one
    for (const unsigned shift : {0u, 8u, 16u}) frame.push_back(static_cast<std::byte>(block >> shift));
    frame.insert(frame.end(), payload.begin(), payload.end());
    return frame;
}

InputFile make_file(const Bytes& bytes, const std::string& name) {
    Fd fd(::memfd_create(name.c_str(), MFD_CLOEXEC));
    size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t got = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
        if (got <= 0) break;
        done += static_cast<size_t>(got);
    }
    return InputFile{std::move(fd), name};
}

std::unique_ptr<GuestMemory> make_memory(uint64_t size) {
    auto memory = GuestMemory::create(RamMap::of_size(size), MemoryBacking::kAnonymous);
    if (!memory.ok()) return nullptr;
    // So that touched_pages() counts single pages.
    for (const auto& region : (*memory)->regions()) ::madvise(region.host, region.size, MADV_NOHUGEPAGE);
    return std::move(memory).value();
}

uint64_t touched_pages(const GuestMemory& memory) {
    uint64_t touched = 0;
    for (const auto& region : memory.regions()) {
        std::vector<unsigned char> state(region.size / kPageSize);
        ::mincore(region.host, region.size, state.data());
        touched += static_cast<uint64_t>(
            std::count_if(state.begin(), state.end(), [](auto s) { return (s & 1) != 0; }));
    }
    return touched;
}

}  // namespace carrel::boot::testing
