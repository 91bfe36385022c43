// The guest's virtio devices.
#pragma once

#include <array>

#include "vmm/config/machine_keys.h"
#include "vmm/model/config_text.h"

namespace carrel::config {

inline constexpr Word kBytesWord = {
    "bps", Word::Role::kOption, KeyType::kSize, "SIZE", "bytes a second (default: no limit)", kLive};
inline constexpr Word kOperationsWord = {
    "ops", Word::Role::kOption, KeyType::kNumber, "N", "operations a second (default: no limit)", kLive};
inline constexpr Word kBurstWord = {
    "burst",
    Word::Role::kOption,
    KeyType::kTime,
    "TIME",
    "as much as comes in this time may be saved up under a limit (default: 10ms)",
    kLive};

inline constexpr std::array kDiskWords = {
    Word{"file", Word::Role::kFirst, KeyType::kFile, "FILE", "a raw disk image or block device"},
    Word{"ro", Word::Role::kOption, KeyType::kFlag, "", "read-only"},
    Word{"id", Word::Role::kOption, KeyType::kText, "NAME",
         "what the guest reads as its serial number (default: the file's name)"},
    Word{"cache", Word::Role::kOption, KeyType::kChoice, "writeback|none|writethrough",
         "what the host's page cache does (default: writeback)"},
    Word{"queues", Word::Role::kOption, KeyType::kNumber, "N", "(default: one for each vCPU up to 4)"},
    Word{.name = "overlay",
         .role = Word::Role::kOption,
         .type = KeyType::kFile,
         .form = "FILE",
         .help = "what is written goes there, and not to the image; true: is gone afterwards (default: no)",
         .bare = true},
    kBytesWord,
    kOperationsWord,
    kBurstWord,
};

inline constexpr std::array kNetWords = {
    Word{"tap", Word::Role::kKind, KeyType::kText, "NAME", "an interface of the host's"},
    Word{"tapfd", Word::Role::kKind, KeyType::kNumber, "N", "the number of an inherited descriptor"},
    Word{"user", Word::Role::kKind, KeyType::kFlag, "", "through passt, which needs no rights"},
    Word{"switch", Word::Role::kKind, KeyType::kText, "NAME", "between guests of this process"},
    Word{"mac", Word::Role::kOption, KeyType::kText, "MAC", "its address (default: a random one)"},
    Word{"mtu", Word::Role::kOption, KeyType::kNumber, "N", "(default: what the network says)"},
    Word{"queues", Word::Role::kOption, KeyType::kNumber, "N", "pairs of them (default: 1)"},
    Word{.name = "tcp",
         .role = Word::Role::kOption,
         .type = KeyType::kText,
         .form = "[ADDRESS/]PORT[:GUEST-PORT]",
         .help = "a port of the host's that leads to the guest, of user (default: none)",
         .repeated = true},
    Word{.name = "udp",
         .role = Word::Role::kOption,
         .type = KeyType::kText,
         .form = "[ADDRESS/]PORT[:GUEST-PORT]",
         .help = "the same (default: none)",
         .repeated = true},
    kBytesWord,
    kOperationsWord,
    kBurstWord,
};

inline constexpr std::array kVsockWords = {
    Word{"path", Word::Role::kFirst, KeyType::kFile, "PATH", "of the Unix socket"},
    Word{"cid", Word::Role::kOption, KeyType::kNumber, "N", "the guest's address (default: 3)"},
};

inline constexpr std::array kDeviceKeys = {
    MachineKey{{"disk", KeyType::kWords,
                "FILE[,ro][,id=NAME][,cache=writeback|none|writethrough][,queues=N][,overlay[=FILE]]"
                "[,bps=SIZE][,ops=N][,burst=TIME]",
                "a raw disk image or block device",
                "none; writeback, a queue for each vCPU up to 4, no limits, 10ms", kFixed, true, kDiskWords},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(DiskConfig disk, parse_disk(text));
                   config.disks.push_back(std::move(disk));
                   return {};
               },
               [](const MachineConfig& config) {
                   Texts texts;
                   for (const DiskConfig& disk : config.disks) texts.push_back(to_text(disk));
                   return texts;
               }},
    MachineKey{{"net", KeyType::kWords,
                "tap=NAME|tapfd=N|user|switch=NAME[,mac=MAC][,mtu=N][,queues=N][,bps=SIZE][,ops=N]"
                "[,burst=TIME]; user: [,tcp=[ADDRESS/]PORT[:GUEST-PORT]][,udp=...]",
                "a network interface, user by passt", "none; no limits, 10ms", kFixed, true, kNetWords},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(NetConfig net, parse_net(text));
                   config.nets.push_back(std::move(net));
                   return {};
               },
               [](const MachineConfig& config) {
                   Texts texts;
                   for (const NetConfig& net : config.nets) texts.push_back(to_text(net));
                   return texts;
               }},
    MachineKey{{"rng", KeyType::kFlag, "", "a virtio-rng, random bytes of the host's", "none"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.entropy, parse_flag(text, "--rng"));
                   return {};
               },
               [](const MachineConfig& config) { return said(config.entropy); }},
    MachineKey{
        {"vsock", KeyType::kWords, "PATH[,cid=N]",
         "streams between guest and host over Unix sockets: see carrel(1)", "none; cid 3", kFixed, false,
         kVsockWords},
        [](MachineConfig& config, const std::string& text) -> Result<void> {
            TRY_ASSIGN(config.vsock, parse_vsock(text));
            return {};
        },
        [](const MachineConfig& config) { return config.vsock ? said(to_text(*config.vsock)) : Texts{}; }},
    MachineKey{{"transport", KeyType::kChoice, "pci|mmio",
                "pci or mmio: how the guest reaches its virtio devices", "pci"},
               [](MachineConfig& config, const std::string& text) -> Result<void> {
                   TRY_ASSIGN(config.transport, parse_transport(text));
                   return {};
               },
               [](const MachineConfig& config) { return said(std::string(to_text(config.transport))); }},
    MachineKey{
        {"packed-rings", KeyType::kFlag, "", "virtio devices offer packed rings, too", "split ones only"},
        [](MachineConfig& config, const std::string& text) -> Result<void> {
            TRY_ASSIGN(config.packed_rings, parse_flag(text, "--packed-rings"));
            return {};
        },
        [](const MachineConfig& config) { return said(config.packed_rings); }},
};

}  // namespace carrel::config
