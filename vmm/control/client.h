// Client: one who asks a host, and waits for the answer. For programs that do nothing else meanwhile.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "vmm/base/fd.h"
#include "vmm/base/opener.h"
#include "vmm/control/http_message.h"

namespace carrel::control {

// $XDG_RUNTIME_DIR/carrel.sock, or for root /run/carrel.sock. The error: neither makes sense here.
Result<std::string> default_socket();

class Client {
  public:
    // The error says that nobody is there, and how to begin.
    static Result<Client> connect(Opener& opener, const std::string& path);
    explicit Client(Fd fd) : fd_(std::move(fd)) {}  // use connect()

    // An answer that is a refusal is an error, as the host said it.
    Result<std::string> call(const Request& request);
    // Calls `line` with each line of a stream, until it says no, or the host ends it.
    Result<void> stream(const Request& request, const std::function<bool(std::string_view line)>& line);
    // Asks for raw bytes. What came with the answer already is in `first`; then they are read from fd().
    Result<void> upgrade(const Request& request, std::string& first);
    int fd() const { return fd_.get(); }

  private:
    Result<void> send(const std::string& text);
    Result<size_t> receive(std::string& into);  // 0: the end

    Fd fd_;
};

}  // namespace carrel::control
