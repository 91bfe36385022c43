// What a report says, from plain data: no KVM.
#include "vmm/observe/report_text.h"

#include <cstring>

#include "tests/catch.h"
#include "vmm/model/cpu_state_x86.h"

using namespace carrel;
using namespace carrel::observe;

namespace {

std::vector<std::byte> bytes_of(std::initializer_list<unsigned> values) {
    std::vector<std::byte> bytes;
    for (const unsigned value : values) bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

// A vCPU in 64-bit ring 0 about to run `code` at 0x100000.
CpuSnapshot long_mode(std::vector<std::byte> code) {
    CpuSnapshot cpu;
    cpu.registers_known = true;
    cpu.sregs.cr0 = kCr0Pe | kCr0Pg;
    cpu.sregs.cr4 = kCr4Pae;
    cpu.sregs.efer = kEferLme | kEferLma;
    cpu.sregs.cs.l = 1;
    cpu.regs.rflags = 2;
    cpu.regs.rip = 0x100000;
    cpu.code = {0x100000, Gpa{0x100000}, std::move(code), ""};
    cpu.instructions = disassemble(cpu.code.bytes, cpu.regs.rip, CodeWidth::k64, 4);
    return cpu;
}

std::string text_of(const kvm::FailedExit& exit, const CpuSnapshot& cpu) {
    return report_text(explain(exit, cpu), cpu);
}

bool has(const std::string& text, const char* piece) {
    INFO(text);
    return text.find(piece) != std::string::npos;
}

kvm::FailedExit internal_error(uint64_t suberror) {
    return {KVM_EXIT_INTERNAL_ERROR, suberror, {}, 0};
}

}  // namespace

TEST_CASE("the mode of a processor in words") {
    kvm_regs regs{};
    kvm_sregs sregs{};
    CHECK(mode_words(regs, sregs) == "real mode (16-bit), ring 0, interrupts off, paging off");
    sregs.cr0 = kCr0Pe;
    sregs.cs.db = 1;
    regs.rflags = 1u << 9;
    CHECK(mode_words(regs, sregs) == "32-bit protected mode, ring 0, interrupts on, paging off");
    sregs.ss.dpl = 3;
    regs.rflags = 1u << 17;
    CHECK(mode_words(regs, sregs) == "virtual-8086 mode (16-bit), ring 3, interrupts off, paging off");
    regs.rflags = 2;
    sregs.cr0 |= kCr0Pg;
    sregs.cr4 = kCr4Pae;
    sregs.efer = kEferLma;
    CHECK(mode_words(regs, sregs) ==
          "32-bit compatibility mode, ring 3, interrupts off, paging on (4 levels)");
    sregs.cs.l = 1;
    sregs.cs.db = 0;
    sregs.ss.dpl = 0;
    CHECK(mode_words(regs, sregs) == "64-bit long mode, ring 0, interrupts off, paging on (4 levels)");
}

TEST_CASE("a linear address counts the segment's base outside 64-bit code, and wraps at 4 GiB") {
    kvm_regs regs{};
    kvm_sregs sregs{};
    regs.rip = 0xfff0;
    sregs.cs.base = 0xffff'0000;
    CHECK(linear_rip(regs, sregs) == 0xffff'fff0);
    regs.rip = 0x1'0000;
    CHECK(linear_rip(regs, sregs) == 0);
}

TEST_CASE("the same bytes are other instructions in another mode") {
    const auto code = bytes_of({0x48, 0x89, 0xd8});
    CHECK(disassemble(code, 0, CodeWidth::k64, 1).at(0).text == "mov rax, rbx");
    CHECK(disassemble(code, 0, CodeWidth::k32, 1).at(0).text == "dec eax");
    CHECK(disassemble(code, 0, CodeWidth::k16, 1).at(0).text == "dec ax");
    CHECK(disassemble({}, 0, CodeWidth::k64, 1).empty());
    CHECK(disassemble(bytes_of({0x06}), 0, CodeWidth::k64, 1).empty());  // PUSH ES is no 64-bit instruction
}

TEST_CASE("where a memory operand points") {
    CpuSnapshot cpu = long_mode({});
    cpu.regs.rax = 0xd000'0000;
    cpu.regs.rcx = 2;
    cpu.sregs.gs.base = 0x7000;
    const auto address = [&cpu](std::initializer_list<unsigned> code) {
        return operand_address(disassemble(bytes_of(code), 0x100000, CodeWidth::k64, 1).at(0), cpu.regs,
                               cpu.sregs);
    };
    CHECK(address({0x8b, 0x44, 0x88, 0x10}) == 0xd000'0018);            // mov eax, [rax + rcx*4 + 0x10]
    CHECK(address({0x8b, 0x05, 0x00, 0x10, 0x00, 0x00}) == 0x10'1006);  // mov eax, [rip + 0x1000]
    CHECK(address({0x65, 0x8b, 0x01}) == 0x7002);                       // mov eax, gs:[rcx]
    CHECK(address({0x67, 0x8b, 0x40, 0xff}) == 0xcfff'ffff);            // mov eax, [eax - 1]
    CHECK_FALSE(address({0x48, 0x8d, 0x00}).has_value());               // lea touches no memory
    CHECK_FALSE(address({0x90}).has_value());
}

TEST_CASE("an emulation failure names instruction, operand and registers") {
    CpuSnapshot cpu = long_mode(bytes_of({0x66, 0x0f, 0xfe, 0x00, 0xf4}));
    cpu.regs.rax = 0xd000'0000;
    cpu.regs.r15 = 0x1122'3344'5566'7788;
    cpu.operand = MemoryView{
        0xd000'0000, Gpa{0xd000'0000}, {}, "guest-physical 0xd0000000 isn't RAM: it lies in the PCI hole"};
    const std::string text = text_of(internal_error(KVM_INTERNAL_ERROR_EMULATION), cpu);
    CHECK(text.find("KVM couldn't emulate the instruction at RIP 0x100000 of vCPU 0: paddd xmm0, xmmword ptr "
                    "[rax]") == 0);
    CHECK(has(text, "PCI hole"));
    CHECK(has(text, "-> 0x100000: 66 0f fe 00"));
    CHECK(has(text, "0x100004: f4"));
    CHECK(has(text, "r15 1122334455667788"));
    CHECK(has(text, "64-bit long mode, ring 0, interrupts off"));
    CHECK(has(text, "KVM_EXIT_INTERNAL_ERROR, suberror 1"));
    CHECK(text.back() != '\n');
}

TEST_CASE("an instruction that can't be fetched: the report says where RIP points") {
    CpuSnapshot cpu = long_mode({});
    cpu.code.gap = "guest-physical 0xd0000000 isn't RAM: it lies in the PCI hole";
    const std::string text = text_of(internal_error(KVM_INTERNAL_ERROR_EMULATION), cpu);
    CHECK(text.find("KVM couldn't fetch an instruction for vCPU 0: RIP is 0x100000") == 0);
    CHECK(has(text, "code at RIP: none; guest-physical 0xd0000000 isn't RAM"));
}

TEST_CASE("KVM's own copy of the instruction is shown, cut to its length") {
    kvm::FailedExit exit = internal_error(KVM_INTERNAL_ERROR_EMULATION);
    const auto insn = bytes_of(
        {2, 0x0f, 0xae, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90});
    exit.detail[0] = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
    std::memcpy(&exit.detail[1], insn.data(), insn.size());
    exit.detail[3] = 0x400;
    exit.details = 4;
    CpuSnapshot cpu = long_mode(bytes_of({0x90}));
    cpu.vendor = Vendor::kAmd;
    const std::string text = text_of(exit, cpu);
    CHECK(has(text, "the emulator's bytes 0f ae;"));
    CHECK(has(text, "exit reason 0x400 (nested page fault)"));
    exit.detail[1] |= 0xff;  // a length that can't be
    CHECK(has(text_of(exit, cpu), "the emulator's bytes 0f ae 90"));
}

TEST_CASE("each suberror, each entry failure and each unknown exit has words") {
    CpuSnapshot cpu = long_mode(bytes_of({0x90}));
    CHECK(has(text_of(internal_error(KVM_INTERNAL_ERROR_SIMUL_EX), cpu), "simultaneous exceptions"));
    CHECK(has(text_of(internal_error(KVM_INTERNAL_ERROR_DELIVERY_EV), cpu), "delivery event"));
    CHECK(has(text_of(internal_error(99), cpu), "suberror 99"));
    kvm::FailedExit unexpected = internal_error(KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
    unexpected.detail[0] = 48;
    unexpected.details = 1;
    cpu.vendor = Vendor::kIntel;
    CHECK(has(text_of(unexpected, cpu), "exit reason 0x30 (EPT violation)"));

    const auto entry = [&cpu](uint64_t reason) { return text_of({KVM_EXIT_FAIL_ENTRY, reason, {}, 0}, cpu); };
    CHECK(has(entry(0x8000'0021), "the guest's state is invalid"));
    CHECK(has(entry(7), "invalid control fields"));
    CHECK(has(entry(0x8000'0021), "hardware entry failure reason 0x80000021"));
    cpu.vendor = Vendor::kAmd;
    CHECK(has(entry(0xffff'ffff), "VMEXIT_INVALID"));
    CHECK(has(entry(~uint64_t{0}), "VMEXIT_INVALID"));
    CHECK(has(text_of({KVM_EXIT_UNKNOWN, 0x1234, {}, 0}, cpu), "exit reason 0x1234"));
    CHECK(has(text_of({77, 0, {}, 0}, cpu), "KVM_EXIT number 77"));
}

TEST_CASE("a triple fault names what makes it likely, and registers that KVM has reset") {
    CpuSnapshot cpu = long_mode(bytes_of({0x0f, 0x0b}));
    CHECK(has(report_text(explain_triple_fault(cpu), cpu), "The IDT is empty (limit 0)"));
    cpu.idt = MemoryView{0x5000, std::nullopt, {}, "0x5000 isn't mapped in the guest's page tables"};
    cpu.stack.gap = "0xfff8 isn't mapped in the guest's page tables";
    const std::string text = report_text(explain_triple_fault(cpu), cpu);
    CHECK(has(text, "The IDT can't be read: 0x5000 isn't mapped"));
    CHECK(has(text, "The stack can't be written"));
    cpu.regs.rip = 0xfff0;
    cpu.sregs.cs.selector = 0xf000;
    CHECK(has(report_text(explain_triple_fault(cpu), cpu), "KVM has reset the registers"));
}

TEST_CASE("without registers the report says so and still names the cause") {
    CpuSnapshot cpu;
    const std::string text = text_of({KVM_EXIT_FAIL_ENTRY, 33, {}, 0}, cpu);
    CHECK(text.find("the processor refused to run vCPU 0") == 0);
    CHECK(has(text, "doesn't tell this vCPU's registers"));
}

TEST_CASE("what lies at an address outside RAM") {
    const RamMap small = RamMap::of_size(64 * kMiB);
    CHECK(not_ram(Gpa{0}, small).empty());
    CHECK(not_ram(Gpa{64 * kMiB - 1}, small).empty());
    CHECK(not_ram(Gpa{64 * kMiB}, small) == "isn't RAM: it lies behind the end of RAM (0x4000000)");
    CHECK(not_ram(Gpa{0xc000'0000}, small) == "isn't RAM: it lies in the PCI hole");
    CHECK(not_ram(Gpa{~uint64_t{0}}, small) == "isn't RAM: it lies behind the end of RAM (0x4000000)");
    CHECK(not_ram(address_map::kHoleEnd, RamMap::of_size(4 * kGiB)).empty());
}
