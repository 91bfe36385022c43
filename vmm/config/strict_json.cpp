#include "vmm/config/strict_json.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace carrel::config {
namespace {

// Puts the tree together from the parser's events, and stops it at the first that isn't allowed.
class Builder {
  public:
    explicit Builder(const Place& place) : places_{place} {}

    bool null() { return add(nullptr); }
    bool boolean(bool value) { return add(value); }
    bool number_integer(Json::number_integer_t value) { return add(value); }
    bool number_unsigned(Json::number_unsigned_t value) { return add(value); }
    bool number_float(Json::number_float_t value, const std::string&) { return add(value); }
    bool string(std::string& value) {
        // A path would end there, and be another one.
        if (value.find('\0') != value.npos) return stop(here().refused("a text has a NUL in it"));
        return add(std::move(value));
    }
    bool binary(Json::binary_t&) { return false; }
    bool start_object(size_t) { return open(Json::object()); }
    bool start_array(size_t) { return open(Json::array()); }
    bool key(std::string& name) {
        Json& object = *open_.back();
        if (object.contains(name))
            return stop(places_.back().refused("key '" + name + "' stands there twice"));
        if (object.size() == kMostKeys)
            return stop(places_.back().refused(fmt::format("more than {} keys in one object", kMostKeys)));
        key_ = std::move(name);
        return true;
    }
    bool end_object() { return close(); }
    bool end_array() { return close(); }
    template <class Exception>
    bool parse_error(size_t position, const std::string&, const Exception&) {
        broken_at_ = position;
        return false;
    }

    const std::optional<Error>& error() const { return error_; }
    std::optional<size_t> broken_at() const { return broken_at_; }
    Json take() { return std::move(root_); }

  private:
    // Where the next value goes.
    Place here() const {
        if (open_.empty()) return places_.back();
        return open_.back()->is_array() ? places_.back().item(open_.back()->size())
                                        : places_.back().key(key_);
    }
    bool stop(Error error) {
        error_ = std::move(error);
        return false;
    }
    bool add(Json value) { return put(std::move(value)) != nullptr; }
    // Pointers into an array stay good: only the innermost one grows.
    Json* put(Json value) {
        if (open_.empty()) return &(root_ = std::move(value));
        Json& inner = *open_.back();
        if (inner.is_object()) return &(inner[key_] = std::move(value));
        if (inner.size() == kMostItems) {
            stop(places_.back().refused(fmt::format("more than {} values in one array", kMostItems)));
            return nullptr;
        }
        inner.push_back(std::move(value));
        return &inner.back();
    }
    bool open(Json value) {
        if (open_.size() == kMostLevels)
            return stop(here().refused(fmt::format("more than {} levels", kMostLevels)));
        Place place = here();
        Json* const added = put(std::move(value));
        if (added == nullptr) return false;
        open_.push_back(added);
        places_.push_back(std::move(place));
        return true;
    }
    bool close() {
        open_.pop_back();
        places_.pop_back();
        return true;
    }

    Json root_;
    std::vector<Json*> open_;  // what is being filled, from the outside in
    std::vector<Place> places_;
    std::string key_;
    std::optional<Error> error_;
    std::optional<size_t> broken_at_;
};

Error no_json(std::string_view text, size_t position, const Place& place) {
    const std::string_view before = text.substr(0, position == 0 ? 0 : position - 1);
    const auto line = 1 + std::ranges::count(before, '\n');
    const size_t column =
        before.size() - (before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1) + 1;
    if (text.find_first_not_of(" \t\r\n") == text.npos)
        return place.refused("it is empty", "write at least {}");
    return place.refused(fmt::format("it is no JSON from line {}, column {} on", line, column),
                         "look there for a missing or superfluous comma, quote or bracket");
}

}  // namespace

Result<Json> parse_json(std::string_view text, const Place& place) {
    if (text.size() > kMostBytes)
        return place.refused("it is longer than 1 MiB", "divide it into several files");
    Builder builder(place);
    if (Json::sax_parse(text, &builder)) return builder.take();
    if (builder.error()) return *builder.error();
    return no_json(text, builder.broken_at().value_or(0), place);
}

const char* kind_of(const Json& value) {
    if (value.is_object()) return "an object";
    if (value.is_array()) return "an array";
    if (value.is_string()) return "a string";
    if (value.is_boolean()) return "true or false";
    if (value.is_null()) return "null";
    return value.is_number_unsigned() ? "a number" : "a number below zero or with a fraction";
}

Result<std::string> print_json(const Json& value) {
    try {
        return value.dump(2) + "\n";
    } catch (const Json::type_error&) {
        return usage_error("a name that is no UTF-8 can't be written as JSON", "rename the file");
    }
}

}  // namespace carrel::config
