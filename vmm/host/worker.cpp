#include "vmm/host/worker.h"

#include <utility>

namespace carrel {

Result<void> Worker::run(std::function<void()> work, std::function<void()> done) {
    if (!thread_.running()) {
        TRY_ASSIGN(thread_, Thread::start("worker", [this] { serve(); }));
    }
    MutexLock lock(mutex_);
    jobs_.push_back({std::move(work), std::move(done)});
    changed_.notify_all();
    return {};
}

void Worker::end() {
    {
        MutexLock lock(mutex_);
        ending_ = true;
        changed_.notify_all();
    }
    thread_.join();
}

void Worker::serve() {
    while (true) {
        Job job;
        {
            MutexLock lock(mutex_);
            while (jobs_.empty() && !ending_) changed_.wait(mutex_);
            if (ending_) return;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job.work();
        job.work = nullptr;  // what it holds goes here, not on the io thread
        if (job.done) io_.post(std::move(job.done));
    }
}

}  // namespace carrel
