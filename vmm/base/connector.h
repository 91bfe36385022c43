// Connector: connects Unix sockets while guests run, on the one thread that may do that then (DESIGN.md
// section 10; tests/kvm/opens.sh holds all others to it). A path on a dead file server keeps nobody else
// waiting.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "vmm/base/mutex.h"
#include "vmm/base/opener.h"
#include "vmm/base/thread.h"

namespace carrel {

class Connector {
  public:
    using Done = std::function<void(Result<Fd> connected)>;  // on the connector's thread

    // `opener` outlives it.
    static Result<std::unique_ptr<Connector>> start(Opener& opener);
    explicit Connector(Opener& opener) : opener_(opener) {}  // use start()
    // Waits for the connection that it is at; those behind it aren't made, and nobody is told.
    ~Connector();
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;

    // Opener::connect(), soon and in order. Any thread. How many wait is the caller's to bound.
    void connect(std::string path, Done done) EXCLUDES(mutex_);

  private:
    struct Wish {
        std::string path;
        Done done;
    };
    void run() EXCLUDES(mutex_);

    Opener& opener_;
    Mutex mutex_;
    Condition changed_;
    std::deque<Wish> wishes_ GUARDED_BY(mutex_);
    bool stopping_ GUARDED_BY(mutex_) = false;
    Thread thread_;
};

}  // namespace carrel
