// The commands of the default guest's prompt, in the order that `help` lists them.
#include "default/commands.h"

#include <initializer_list>

#include "default/checks.h"
#include "default/line_editor.h"
#include "lib/apic_x86.h"
#include "lib/boot_info.h"
#include "lib/clock_x86.h"
#include "lib/cpu_x86.h"
#include "lib/interrupts_x86.h"
#include "lib/paging_x86.h"
#include "lib/power_x86.h"
#include "lib/print.h"
#include "lib/rtc.h"

extern "C" const char image_start[], image_end[];

namespace guest {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kPagesPerMiB = 256;

void help(Text) {
    print(
        "help          this list\n"
        "cpu           CPUs and what they can do\n"
        "mem           memory map\n"
        "mem full      test every page of RAM\n"
        "time          clocks\n"
        "spin [N]      keep the CPU busy for N seconds, or until a key is pressed\n"
        "fault         triple fault\n"
        "fault KIND    raise an exception and report it; KIND is pf, ud or gp\n"
        "echo TEXT     print TEXT\n"
        "poweroff      end the machine (ACPI S5)\n"
        "reboot        ask for a reset (ACPI reset register)\n");
}

void print_registers_as_text(const CpuidResult& r, bool brand) {
    const std::uint32_t words[4] = {brand ? r.eax : r.ebx, brand ? r.ebx : r.edx, r.ecx, r.edx};
    Text text(reinterpret_cast<const char*>(words), brand ? 16 : 12);
    while (!text.empty() && text.data[text.size - 1] == 0) --text.size;
    put(text);
}

void cpu(Text) {
    print("vendor     ");
    print_registers_as_text(cpuid(0), false);
    if (cpuid(0x80000000).eax >= 0x80000004) {
        print("\nmodel      ");
        for (std::uint32_t leaf = 0x80000002; leaf <= 0x80000004; ++leaf)
            print_registers_as_text(cpuid(leaf), true);
    }
    const CpuidResult features = cpuid(1);
    print("\nsignature  ", Hex{features.eax}, " features ecx=", Hex{features.ecx}, " edx=", Hex{features.edx},
          "\n");
    if ((features.ecx >> 31) != 0) {
        const CpuidResult r = cpuid(0x40000000);
        const std::uint32_t words[3] = {r.ebx, r.ecx, r.edx};
        Text name(reinterpret_cast<const char*>(words), sizeof(words));
        while (!name.empty() && name.data[name.size - 1] == 0) --name.size;
        print("hypervisor ", name, "\n");
    }
    print("cpus       ", running_cpus(), " running, this one has APIC id ", local_apic_id(),
          local_apic_is_x2() ? " (x2APIC)" : " (xAPIC)", "\n");
    print("timer      ", timer_has_deadline() ? "TSC deadline" : "one-shot", ", TSC ", tsc_khz(), " kHz\n");
}

void test_page(std::uint64_t page, std::uint64_t& bad) {
    for (const std::uint64_t offset : {std::uint64_t{0}, kPage - 8}) {
        auto* word = reinterpret_cast<volatile std::uint64_t*>(window_at(page) + offset);
        const std::uint64_t before = *word;
        *word = page ^ 0x0f1e2d3c4b5a6978;
        const bool first = *word == (page ^ 0x0f1e2d3c4b5a6978);
        *word = ~page;
        if (!first || *word != ~page) ++bad;
        *word = before;
    }
}

bool in_image(std::uint64_t page) {
    return page + kPage > reinterpret_cast<std::uint64_t>(image_start) &&
           page < reinterpret_cast<std::uint64_t>(image_end);
}

// A progress line every 16 MiB; Ctrl-C or any key ends the test.
void test_all_memory() {
    std::uint64_t tested = 0, bad = 0;
    const BootInfo& info = boot_info();
    for (unsigned i = 0; i < info.range_count; ++i)
        for (std::uint64_t page = (info.ranges[i].base + kPage - 1) & ~(kPage - 1);
             page + kPage <= info.ranges[i].end(); page += kPage) {
            if (in_image(page)) continue;
            test_page(page, bad);
            if (++tested % (16 * kPagesPerMiB) != 0) continue;
            print("  ", tested / kPagesPerMiB, " MiB, ", bad, " errors\n");
            obey_power_button();
            if (key_pressed()) return print("stopped\n");
        }
    print("mem full: ", bad == 0 ? "ok" : "FAILED", ", ", tested, " pages, ", bad, " errors\n");
}

void mem(Text argument) {
    if (argument == Text("full")) return test_all_memory();
    const BootInfo& info = boot_info();
    std::uint64_t total = 0;
    for (unsigned i = 0; i < info.range_count; ++i) {
        const MemoryRange range = info.ranges[i];
        total += range.size;
        print("  ", Hex{range.base}, " - ", Hex{range.end() - 1}, "  ", range.size >> 10, " KiB\n");
    }
    print(total >> 20, " MiB usable; this guest is at ", Hex{reinterpret_cast<std::uint64_t>(image_start)},
          " - ", Hex{reinterpret_cast<std::uint64_t>(image_end) - 1}, "\n");
}

void time(Text) {
    const DateTime now = rtc_now();
    print("tsc        ", rdtsc(), " at ", tsc_khz(), " kHz\n");
    if (kvm_clock_present())
        print("kvm-clock  ", kvm_clock_ns() / 1000, " us since the machine started\n");
    else
        print("kvm-clock  absent\n");
    if (is_sane(now))
        print("rtc        ", now.year, "-", TwoDigits{now.month}, "-", TwoDigits{now.day}, " ",
              TwoDigits{now.hour}, ":", TwoDigits{now.minute}, ":", TwoDigits{now.second}, "\n");
    else
        print("rtc        absent, or its time makes no sense\n");
}

void spin(Text argument) {
    constexpr std::uint64_t kSecond = 1000000;
    const std::uint64_t forever = ~std::uint64_t{0} / kSecond;
    const std::uint64_t us = to_number(argument, forever) * kSecond;
    const std::uint64_t start = rdtsc();
    print("spinning, any key stops\n");
    while (tsc_to_us(rdtsc() - start) < us && !key_pressed()) obey_power_button();
    print("spun for ", tsc_to_us(rdtsc() - start) / 1000, " ms\n");
}

void raise_page_fault() {
    asm volatile("movb $0, (%0)" : : "r"(0x6000000000) : "memory");
}
void raise_invalid_opcode() {
    asm volatile("ud2");
}
void raise_general_protection() {
    asm volatile("movb $0, (%0)" : : "r"(0x8000000000000000) : "memory");
}

void fault(Text argument) {
    void (*raise)() = nullptr;
    if (argument.empty()) triple_fault();
    if (argument == Text("pf")) raise = raise_page_fault;
    if (argument == Text("ud")) raise = raise_invalid_opcode;
    if (argument == Text("gp")) raise = raise_general_protection;
    if (raise == nullptr) return print("fault: KIND is pf, ud or gp\n");
    Fault caught = {};
    if (returns(raise, &caught)) return print("fault: FAILED, no exception came\n");
    interrupts_on();
    print("fault: ", exception_name(caught.vector), ", vector ", caught.vector, " error ", Hex{caught.error},
          " rip ", Hex{caught.rip}, caught.vector == 14 ? " address " : "");
    if (caught.vector == 14) print(Hex{caught.cr2});
    print("\n");
}

void echo(Text argument) {
    print(argument, "\n");
}
void do_power_off(Text) {
    power_off();
}
void reboot(Text) {
    reset_by_acpi();
}

struct Command {
    const char* name;
    void (*run)(Text argument);
};
constexpr Command kCommands[] = {
    {"help", help},     {"cpu", cpu},     {"mem", mem},   {"time", time},
    {"spin", spin},     {"fault", fault}, {"echo", echo}, {"poweroff", do_power_off},
    {"reboot", reboot},
};

}  // namespace

void run_command(Text line) {
    const Text trimmed_line = trimmed(line);
    if (trimmed_line.empty()) return;
    const Text name = trimmed_line.first(find(trimmed_line, ' '));
    const Text argument = trimmed(trimmed_line.from(name.size));
    for (const Command& command : kCommands)
        if (name == Text(command.name)) return command.run(argument);
    print(name, ": unknown command, try help\n");
}

void run_batch(Text commands) {
    while (!commands.empty()) {
        const Text command = commands.first(find(commands, ';'));
        run_command(command);
        commands = commands.from(command.size + 1);
    }
    power_off();
}

}  // namespace guest
