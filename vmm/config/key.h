// Key: one thing that can be said about a machine or a host, however it is said: as an option of `run`, as a
// key of a file, as `ctl set`. The tables of them (machine_keys.h, host_keys.h) are the only place that knows
// how it is spelled, what it takes, what it is when nothing is said, and whether it may change while the
// guest runs.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vmm/base/result.h"

namespace carrel::config {

enum class KeyType {
    kText,    // any
    kFile,    // a path
    kSize,    // "512M"; in JSON also a number of bytes
    kTime,    // "10ms"; in JSON also a number of seconds
    kShare,   // "25%"
    kNumber,  // whole; in JSON a number, or its digits
    kFlag,    // in JSON true and false
    kChoice,  // one of the words in `form`
    kCpus,    // "0-3,6"
    kWords,   // several words: see Word
};

// Of what is said about a device: a word between commas, and in JSON a key of an object. "a.img,ro,id=x" is
// {"file": "a.img", "ro": true, "id": "x"}.
struct Word {
    enum class Role {
        kFirst,   // the first word, which is its value alone
        kKind,    // one of these is the first word
        kOption,  // the others, in any order
    };
    const char* name;
    Role role;
    KeyType type;
    const char* form;
    const char* help;
    bool live = false;
    bool bare = false;      // may stand without a value, which is `true` in JSON
    bool repeated = false;  // may stand more than once, which is an array in JSON
};

struct KeyInfo {
    const char* name;  // as `run` spells it, without its dashes
    KeyType type;
    const char* form;    // what it takes, for people; of kChoice: "this|that"
    const char* help;    // a line
    const char* preset;  // what it is when nothing is said, for people
    bool live = false;   // may change while the guest runs
    bool list = false;   // may be said more than once
    std::span<const Word> words = {};
    const char* bare = nullptr;  // what it means when nothing is said but its name
    bool hidden = false;         // from the help: a test aid
};

inline constexpr bool kLive = true;
inline constexpr bool kFixed = false;

using Texts = std::vector<std::string>;

template <class Config>
struct Key : KeyInfo {
    // From what was typed. The error begins with the key as `run` spells it. Of a list, adds one.
    Result<void> (*set)(Config&, const std::string& text);
    // What set() reads back as it is. Nothing: it is as if nothing had been said.
    Texts (*get)(const Config&);
};

inline Texts said(std::string text) {
    return text.empty() ? Texts{} : Texts{std::move(text)};
}
inline Texts said(bool flag) {
    return flag ? Texts{"true"} : Texts{};
}
Result<bool> parse_flag(const std::string& text, const char* key);

// The one of `known` that was probably meant: "; did you mean 'memory'?", or nothing.
std::string suggestion(std::string_view word, std::span<const std::string_view> known);

}  // namespace carrel::config
