#include "vmm/host/fleet.h"

#include <utility>

#include "vmm/host/verb_table.h"

namespace carrel {

Fleet::~Fleet() = default;

Result<FleetGuest*> Fleet::may(Verb verb, const std::string& name) const {
    const auto found = guests_.find(name);
    const bool there = found != guests_.end();
    TRY(carrel::may(verb, name, there ? found->second->state() : GuestState::kAbsent));
    return there ? found->second.get() : nullptr;
}

Result<void> Fleet::check_stays(Verb verb, const std::string& name) const {
    if (!when_quiet_) return {};
    return host_error(std::string("cannot ") + verb_name(verb) + " " + name + ": the host is about to end");
}

void Fleet::create(const MachineConfig& config, Done done) {
    if (auto allowed = may(Verb::kCreate, config.name); !allowed.ok())
        return done(std::move(allowed).error());
    if (auto stays = check_stays(Verb::kCreate, config.name); !stays.ok()) return done(std::move(stays));
    if (auto admitted = account_.admit(config); !admitted.ok()) return done(std::move(admitted));
    auto guest = factory_(config, services_, *this);
    if (!guest.ok()) {
        account_.release(config);
        return done(std::move(guest).error());
    }
    FleetGuest& loading = **guest;
    guests_.emplace(config.name, std::move(*guest));
    loading.load([this, name = config.name, done = std::move(done)](Result<void> loaded) {
        if (loaded.ok()) return done({});
        drop(name, [loaded, done](const Result<void>&) { done(loaded); });
    });
}

void Fleet::start(const std::string& name, Done done) {
    auto guest = may(Verb::kStart, name);
    if (!guest.ok()) return done(std::move(guest).error());
    if ((*guest)->state() == GuestState::kCreated) return start_loaded(**guest, std::move(done));
    if (auto stays = check_stays(Verb::kStart, name); !stays.ok()) return done(std::move(stays));
    (*guest)->load([this, guest = *guest, done = std::move(done)](Result<void> loaded) {
        if (!loaded.ok()) return done(std::move(loaded));
        start_loaded(*guest, done);
    });
}

// The host may have been asked to end meanwhile.
void Fleet::start_loaded(FleetGuest& guest, Done done) {
    if (auto stays = check_stays(Verb::kStart, guest.config().name); !stays.ok())
        return done(std::move(stays));
    guest.start(std::move(done));
}

void Fleet::pause(const std::string& name, Done done) {
    auto guest = may(Verb::kPause, name);
    if (!guest.ok()) return done(std::move(guest).error());
    (*guest)->pause(std::move(done));
}

void Fleet::resume(const std::string& name, bool clocks_ran, Done done) {
    auto guest = may(Verb::kResume, name);
    if (!guest.ok()) return done(std::move(guest).error());
    (*guest)->resume(clocks_ran, std::move(done));
}

Result<void> Fleet::stop(const std::string& name, Nanoseconds patience) {
    TRY_ASSIGN(FleetGuest* const guest, may(Verb::kStop, name));
    guest->stop(patience);
    return {};
}

Result<void> Fleet::kill(const std::string& name, const std::string& why) {
    TRY_ASSIGN(FleetGuest* const guest, may(Verb::kKill, name));
    guest->end(MachineEnd{EndReason::kUser, why});
    return {};
}

void Fleet::remove(const std::string& name, Done done) {
    if (auto guest = may(Verb::kDelete, name); !guest.ok()) return done(std::move(guest).error());
    drop(name, std::move(done));
}

// Its name is free at once; `done` when its memory is, too.
void Fleet::drop(const std::string& name, Done done) {
    auto node = guests_.extract(name);
    const std::shared_ptr<FleetGuest> guest = std::move(node.mapped());
    guest->dismantle([done = std::move(done)] { done({}); });
    account_.release(guest->config());
    tell(name, GuestEvent::Kind::kDeleted, GuestState::kAbsent, {});
}

Result<void> Fleet::change(const std::string& name, const GuestEdit& edit) {
    TRY_ASSIGN(FleetGuest* const guest, may(Verb::kSet, name));
    TRY_ASSIGN(const MachineConfig after, edit(guest->config(), guest->has_machine()));
    if (after.name != name) return usage_error("name: a guest keeps its name", "make another one");
    TRY(account_.exchange(guest->config(), after));
    guest->change(after);
    return {};
}

Result<ConsoleEnds> Fleet::console(const std::string& name) {
    TRY_ASSIGN(FleetGuest* const guest, may(Verb::kConsole, name));
    return guest->console_ends();
}

Result<GuestInfo> Fleet::show(const std::string& name) const {
    TRY_ASSIGN(const FleetGuest* const guest, may(Verb::kShow, name));
    return guest->info();
}

void Fleet::stats(const std::string& name, std::function<void(Result<GuestStats>)> done) {
    auto asked = may(Verb::kShow, name);
    if (!asked.ok()) return done(std::move(asked).error());
    (*asked)->stats(std::move(done));
}

std::vector<GuestInfo> Fleet::list() const {
    std::vector<GuestInfo> all;
    for (const auto& [name, guest] : guests_) all.push_back(guest->info());
    return all;
}

Result<void> Fleet::set_policy(Policy policy) {
    if (services_.scheduler == nullptr)
        return host_error("policy: this host leaves CPU time to the kernel", "use carrel host");
    services_.scheduler->set_policy(policy);
    return {};
}

std::optional<Policy> Fleet::policy() const {
    if (services_.scheduler == nullptr) return std::nullopt;
    return services_.scheduler->policy();
}

bool Fleet::any_alive() const {
    for (const auto& [name, guest] : guests_) {
        const GuestState state = guest->state();
        if (state != GuestState::kCreated && state != GuestState::kEnded) return true;
    }
    return false;
}

void Fleet::end_if_quiet() {
    if (when_quiet_ && !any_alive()) services_.io.post(std::exchange(when_quiet_, [] {}));
}

void Fleet::stop_all(Nanoseconds patience, std::function<void()> done) {
    when_quiet_ = std::move(done);
    for (const auto& [name, guest] : guests_) {
        const GuestState state = guest->state();
        if (refusal(state, Verb::kStop).allowed())
            guest->stop(patience);
        else if (state != GuestState::kCreated && state != GuestState::kEnded)
            guest->end(MachineEnd{EndReason::kUser, "its host ended"});
    }
    end_if_quiet();
}

Result<Guest*> Fleet::add(const MachineConfig& config, std::function<void(const GuestReport&)> on_finished) {
    TRY_ASSIGN(auto guest, Guest::create(config, services_, *this, std::move(on_finished)));
    Guest* const made = guest.get();
    guests_.emplace(config.name, std::move(guest));
    return made;
}

void Fleet::check_memory() {
    for (const auto& [name, guest] : guests_) guest->check_memory();
}

std::vector<const Machine*> Fleet::machines() const {
    std::vector<const Machine*> all;
    for (const auto& [name, guest] : guests_) {
        if (const Machine* const machine = guest->own_machine()) all.push_back(machine);
    }
    return all;
}

void Fleet::on_change(const FleetGuest& guest, GuestEvent::Kind kind, const std::string& detail) {
    tell(guest.config().name, kind, guest.state(), detail);
    if (kind == GuestEvent::Kind::kEnded || kind == GuestEvent::Kind::kCreated) end_if_quiet();
}

void Fleet::tell_moved(const std::string& name, const std::string& detail) {
    if (const auto found = guests_.find(name); found != guests_.end())
        tell(name, GuestEvent::Kind::kMoved, found->second->state(), detail);
}

void Fleet::tell(const std::string& guest, GuestEvent::Kind kind, GuestState state,
                 const std::string& detail) {
    ++events_;
    if (listeners_.empty()) return;
    const GuestEvent event{events_, services_.clock.wall(), guest, kind, state, detail};
    for (EventListener* const listener : listeners_) listener->on_event(event);
}

}  // namespace carrel
