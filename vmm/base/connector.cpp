#include "vmm/base/connector.h"

namespace carrel {

Result<std::unique_ptr<Connector>> Connector::start(Opener& opener) {
    auto connector = std::make_unique<Connector>(opener);
    TRY_ASSIGN(connector->thread_, Thread::start("opener", [self = connector.get()] { self->run(); }));
    return connector;
}

Connector::~Connector() {
    {
        MutexLock lock(mutex_);
        stopping_ = true;
        wishes_.clear();
    }
    changed_.notify_all();
    thread_.join();
}

void Connector::connect(std::string path, Done done) {
    {
        MutexLock lock(mutex_);
        wishes_.push_back({std::move(path), std::move(done)});
    }
    changed_.notify_all();
}

void Connector::run() {
    for (;;) {
        Wish wish;
        {
            MutexLock lock(mutex_);
            while (wishes_.empty() && !stopping_) changed_.wait(mutex_);
            if (stopping_) return;
            wish = std::move(wishes_.front());
            wishes_.pop_front();
        }
        wish.done(opener_.connect(wish.path));
    }
}

}  // namespace carrel
