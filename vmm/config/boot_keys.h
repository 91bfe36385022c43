// What is booted, and how its life ends.
#pragma once

#include <array>

#include "vmm/config/machine_keys.h"
#include "vmm/model/config_text.h"

namespace carrel::config {

inline constexpr std::array kBootKeys = {
    MachineKey{{"kernel", KeyType::kFile, "FILE", "bzImage or ELF kernel", "the embedded guest"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   config.boot.kernel = text;
                   return {};
               },
               [](const MachineConfig& config) { return said(config.boot.kernel); }},
    MachineKey{{"initrd", KeyType::kFile, "FILE", "initial RAM disk", "none"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   config.boot.initrd = text;
                   return {};
               },
               [](const MachineConfig& config) { return said(config.boot.initrd); }},
    MachineKey{{"append", KeyType::kText, "TEXT", "kernel command line",
                "none; console=ttyS0 or hvc0, panic=-1 and an earlycon are added unless you say something "
                "about them"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   config.boot.cmdline = text;
                   return {};
               },
               [](const MachineConfig& config) { return said(config.boot.cmdline); }},
};

inline constexpr std::array kLifeKeys = {
    MachineKey{{"timeout", KeyType::kTime, "TIME", "end the guest after this time, with status 36", "never"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.timeout, parse_duration(text, "--timeout"));
                   return {};
               },
               [](const MachineConfig& config) {
                   return config.timeout ? said(time_text(*config.timeout)) : Texts{};
               }},
    MachineKey{{"on-reboot", KeyType::kChoice, "exit|restart", "exit or restart: what a reset does",
                "exit, with status 32"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.on_reboot, parse_on_reboot(text));
                   return {};
               },
               [](const MachineConfig& config) { return said(std::string(to_text(config.on_reboot))); }},
    MachineKey{
        {"serial", KeyType::kText, "stdio|file:PATH|pty|none", "stdio, file:PATH, pty or none", "stdio"},
        [](MachineConfig& config, const std::string& text) -> Result<void> {
            TRY_ASSIGN(config.serial, parse_serial(text));
            return {};
        },
        [](const MachineConfig& config) { return said(to_text(config.serial)); }},
    MachineKey{{"console", KeyType::kChoice, "serial|virtio",
                "serial or virtio: what the guest has at that end", "serial"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.console, parse_console(text));
                   return {};
               },
               [](const MachineConfig& config) { return said(std::string(to_text(config.console))); }},
};

inline constexpr std::array kNameKeys = {
    MachineKey{{"name", KeyType::kText, "NAME", "the guest's name in messages and threads", "guest"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY(check_name(text));
                   config.name = text;
                   return {};
               },
               [](const MachineConfig& config) { return said(config.name); }},
    MachineKey{{.name = "rebuild-every",
                .type = KeyType::kNumber,
                .form = "N",
                .help = "test aid: rebuild the machine from its saved bytes at every Nth exit",
                .preset = "never",
                .hidden = true},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.rebuild_every, parse_number(text, "--rebuild-every"));
                   return {};
               },
               [](const MachineConfig& config) {
                   return config.rebuild_every != 0 ? said(std::to_string(config.rebuild_every)) : Texts{};
               }},
};

}  // namespace carrel::config
