// Result: what a call gives back when the host, a file or a configuration can let us down.
//
// Three kinds of error exist in carrel (README.md of this folder): the guest's (never leaves the device), the
// host's and the user's (this type), and our own bugs (CHECK). An Error is a sentence for a person: what
// could not be done, to which thing, why, and what to do about it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "vmm/base/check.h"

namespace carrel {

// Whose doing it is; decides the exit status (see vmm/cli).
enum class Fault {
    kUsage,  // wrong option, configuration or input file: another try with the same words fails again
    kHost,   // the host or KVM refused something
};

// One failure, told so that a person can act on it.
struct Error {
    Fault fault = Fault::kHost;
    std::string what;    // "cannot open /dev/kvm: Permission denied"
    std::string advice;  // "add yourself to group kvm"; may be empty

    // "what; advice" in one line, whatever characters a file's name had: control characters become '?'.
    std::string sentence() const;
};

inline Error usage_error(std::string what, std::string advice = {}) {
    return Error{Fault::kUsage, std::move(what), std::move(advice)};
}
inline Error host_error(std::string what, std::string advice = {}) {
    return Error{Fault::kHost, std::move(what), std::move(advice)};
}
// "what: <the name of errno value `code`>".
Error os_error(int code, std::string what, std::string advice = {});

// Either a T or an Error. [[nodiscard]]: an ignored failure is a bug.
template <class T>
class [[nodiscard]] Result {
  public:
    // Implicit, so that a function returns either as it is.
    // NOLINTBEGIN(google-explicit-constructor)
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
    // NOLINTEND(google-explicit-constructor)

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & {
        CHECK(ok());
        return *std::get_if<0>(&state_);
    }
    const T& value() const& {
        CHECK(ok());
        return *std::get_if<0>(&state_);
    }
    T&& value() && {
        CHECK(ok());
        return std::move(*std::get_if<0>(&state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    const Error& error() const& {
        CHECK(!ok());
        return *std::get_if<1>(&state_);
    }
    Error&& error() && {
        CHECK(!ok());
        return std::move(*std::get_if<1>(&state_));
    }

  private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

    bool ok() const { return !error_.has_value(); }
    explicit operator bool() const { return ok(); }
    const Error& error() const& {
        CHECK(!ok());
        return *error_;
    }
    Error&& error() && {
        CHECK(!ok());
        return std::move(*error_);
    }

  private:
    std::optional<Error> error_;
};

// TRY(expr): hands an Error up to our caller. TRY_ASSIGN(declaration, expr): the same, and keeps the value.
#define CARREL_CONCAT_(a, b) a##b
#define CARREL_CONCAT(a, b) CARREL_CONCAT_(a, b)
#define TRY(expr)                                                                                \
    do {                                                                                         \
        if (auto try_result_ = (expr); !try_result_.ok()) return std::move(try_result_).error(); \
    } while (false)
#define TRY_ASSIGN(declaration, expr) TRY_ASSIGN_(CARREL_CONCAT(try_result_, __LINE__), declaration, expr)
// NOLINTBEGIN(bugprone-macro-parentheses): what is declared can't stand in parentheses.
#define TRY_ASSIGN_(name, declaration, expr)        \
    auto name = (expr);                             \
    if (!name.ok()) return std::move(name).error(); \
    declaration = std::move(name).value()
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace carrel
