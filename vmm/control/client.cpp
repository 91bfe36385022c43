#include "vmm/control/client.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace carrel::control {
namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::string_body>;

// As long as a host may take to load a guest from a slow disk.
constexpr int kPatience = 600'000;  // milliseconds

Error refused_by_host(unsigned status, const std::string& body) {
    const auto json = nlohmann::json::parse(body, nullptr, false);
    Error error;
    error.fault = status < 500 ? Fault::kUsage : Fault::kHost;
    error.what = fmt::format("the host refused, with status {}", status);
    const auto said = [&json](const char* key, const std::string& otherwise) {
        const bool there = json.is_object() && json.contains(key) && json[key].is_string();
        return there ? json[key].get<std::string>() : otherwise;
    };
    error.what = said("what", error.what);
    error.advice = said("advice", "");
    return error;
}

Error broken() {
    return host_error("the host's answer can't be read", "is it of the same version?");
}

// Bytes that have come, into the parser. False: no answer of HTTP's.
bool feed(Parser& parser, std::string& bytes) {
    boost::beast::error_code error;
    while (!bytes.empty() && !parser.is_done()) {
        const size_t used = parser.put(boost::asio::buffer(bytes), error);
        bytes.erase(0, used);
        if (error == http::error::need_more || used == 0) return !error || error == http::error::need_more;
        if (error) return false;
    }
    return true;
}

}  // namespace

Result<std::string> default_socket() {
    if (const char* const folder = std::getenv("XDG_RUNTIME_DIR"); folder != nullptr && *folder == '/')
        return std::string(folder) + "/carrel.sock";
    if (::geteuid() == 0) return std::string("/run/carrel.sock");
    return usage_error("there is no XDG_RUNTIME_DIR to have a socket in", "name one with --socket PATH");
}

Result<Client> Client::connect(Opener& opener, const std::string& path) {
    auto fd = opener.connect(path);
    if (!fd.ok())
        return usage_error("no host answers at " + path + ": " + fd.error().what,
                           "start one with carrel host, or name its socket with --socket");
    return Client(std::move(*fd));
}

Result<void> Client::send(const std::string& text) {
    for (size_t at = 0; at < text.size();) {
        const ssize_t count = ::send(fd_.get(), text.data() + at, text.size() - at, MSG_NOSIGNAL);
        if (count > 0) at += static_cast<size_t>(count);
        if (count >= 0 || errno == EINTR) continue;
        if (errno == EPIPE) return {};  // it may have answered before it went
        if (errno != EAGAIN) return os_error(errno, "cannot ask the host");
        pollfd ready{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
        if (::poll(&ready, 1, kPatience) == 0) return host_error("the host takes nothing");
    }
    return {};
}

Result<size_t> Client::receive(std::string& into) {
    std::array<char, 16384> buffer;
    for (;;) {
        const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (count >= 0) {
            into.append(buffer.data(), static_cast<size_t>(count));
            return static_cast<size_t>(count);
        }
        if (errno == EINTR) continue;
        if (errno == ECONNRESET) return size_t{0};
        if (errno != EAGAIN) return os_error(errno, "cannot hear the host");
        pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
        (void)::poll(&ready, 1, -1);
    }
}

Result<std::string> Client::call(const Request& request) {
    TRY(send(text_of(request)));
    Parser parser;
    parser.eager(true);
    parser.body_limit(boost::none);
    std::string bytes;
    while (!parser.is_done()) {
        TRY_ASSIGN(const size_t came, receive(bytes));
        if (came == 0) return host_error("the host ended before it answered", "ask again");
        if (!feed(parser, bytes)) return broken();
    }
    const auto message = parser.release();
    if (message.result_int() >= 400) return refused_by_host(message.result_int(), message.body());
    return message.body();
}

Result<void> Client::stream(const Request& request, const std::function<bool(std::string_view)>& line) {
    TRY(send(text_of(request)));
    Parser parser;
    parser.eager(true);
    parser.body_limit(boost::none);
    std::string bytes;
    size_t taken = 0;
    while (!parser.is_done()) {
        TRY_ASSIGN(const size_t came, receive(bytes));
        if (came == 0) return {};  // it has ended
        if (!feed(parser, bytes)) return broken();
        std::string& body = parser.get().body();
        for (size_t end = body.find('\n', taken); end != body.npos; end = body.find('\n', taken)) {
            if (!line(std::string_view(body).substr(taken, end - taken))) return {};
            taken = end + 1;
        }
        body.erase(0, std::exchange(taken, 0));
    }
    if (parser.get().result_int() >= 400)
        return refused_by_host(parser.get().result_int(), parser.get().body());
    return {};
}

Result<void> Client::upgrade(const Request& request, std::string& first) {
    TRY(send(text_of(request)));
    Parser parser;
    parser.eager(true);
    while (!parser.is_header_done()) {
        TRY_ASSIGN(const size_t came, receive(first));
        if (came == 0) return host_error("the host ended before it answered", "ask again");
        if (!feed(parser, first)) return broken();
    }
    if (parser.get().result() == http::status::switching_protocols) return {};
    while (!parser.is_done()) {
        if (!feed(parser, first)) return broken();
        if (parser.is_done()) break;
        TRY_ASSIGN(const size_t came, receive(first));
        if (came == 0) break;
    }
    return refused_by_host(parser.get().result_int(), parser.get().body());
}

}  // namespace carrel::control
