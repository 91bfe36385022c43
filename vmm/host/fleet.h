// Fleet: the guests of one host by their names, and the verbs. Which verb makes sense when stands in
// verb_table.h; each is done whole or refused in a sentence, and what it changed is told to the listeners.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "vmm/host/guest.h"
#include "vmm/host/host_account.h"

namespace carrel {

class GuestPlacement;

// From what a guest's configuration is to what it shall be, checked whole; decided in one step with it.
// `fixed`: it has a machine, of which not all may change.
using GuestEdit = std::function<Result<MachineConfig>(const MachineConfig& now, bool fixed)>;

// Makes a guest that is still to be loaded.
using GuestFactory = std::function<Result<std::unique_ptr<FleetGuest>>(
    const MachineConfig& config, const GuestServices& services, GuestListener& listener)>;

// On the io thread, or before it runs.
class Fleet final : public GuestListener {
  public:
    using Done = std::function<void(Result<void>)>;         // on the io thread, maybe at once
    static constexpr Nanoseconds kPatience = 10 * kSecond;  // with a power button

    // All that `services` names outlives it.
    explicit Fleet(const GuestServices& services, const HostResources& resources)
        : services_(services), account_(resources) {}
    ~Fleet() override;
    Fleet(const Fleet&) = delete;
    Fleet& operator=(const Fleet&) = delete;

    // --- verbs ---
    // Admits a guest or refuses it with the sums, then opens and loads it. `done` at the end of that.
    void create(const MachineConfig& config, Done done);
    // Of one that has ended: loads it once more first.
    void start(const std::string& name, Done done);
    void pause(const std::string& name, Done done);
    void resume(const std::string& name, bool clocks_ran, Done done);
    Result<void> stop(const std::string& name, Nanoseconds patience = kPatience);
    Result<void> kill(const std::string& name, const std::string& why = "it was killed");
    // `done` when nothing of it is left.
    void remove(const std::string& name, Done done);
    Result<void> change(const std::string& name, const GuestEdit& edit);
    Result<ConsoleEnds> console(const std::string& name);
    Result<GuestInfo> show(const std::string& name) const;
    void stats(const std::string& name, std::function<void(Result<GuestStats>)> done);
    std::vector<GuestInfo> list() const;  // by name
    const HostAccount& account() const { return account_; }
    // How CPU time is shared out from now on; nobody is stopped for it.
    Result<void> set_policy(Policy policy);
    std::optional<Policy> policy() const;  // none: nobody is kept to a share

    // The process is to end: power buttons, and after `patience` the end. `done` when none runs any more.
    void stop_all(Nanoseconds patience, std::function<void()> done);

    // Every event from now on, until forget(). Never inside on_event().
    void listen(EventListener& listener) { listeners_.push_back(&listener); }
    void forget(EventListener& listener) { std::erase(listeners_, &listener); }

    // --- for the process that has them ---
    // Before the first guest: where create() has its guests from, in place of this process.
    void make_guests_by(GuestFactory factory) { factory_ = std::move(factory); }
    // Before the first guest: who attaches to their consoles is in another process. It outlives them.
    void lead_consoles_to(const ConsoleLine& line) { services_.line = &line; }
    // Before the first guest. It outlives them.
    void lease_from(sched::LeaseSource& leases) { services_.leases = &leases; }
    void schedule(sched::Scheduler& scheduler) { services_.scheduler = &scheduler; }
    // Before the first guest; until forgotten with null. Which host CPUs they run on.
    void place_by(const GuestPlacement* placement) { placement_ = placement; }
    const GuestPlacement* placement() const { return placement_; }  // null: the host's kernel decides
    void tell_moved(const std::string& name, const std::string& detail);
    // One that is opened and loaded here and now, and has the process to itself (`carrel run`).
    Result<Guest*> add(const MachineConfig& config, std::function<void(const GuestReport&)> on_finished);
    void check_memory();
    std::vector<const Machine*> machines() const;

    void on_change(const FleetGuest& guest, GuestEvent::Kind kind, const std::string& detail) override;

  private:
    // The guest, where the verb makes sense now.
    Result<FleetGuest*> may(Verb verb, const std::string& name) const;
    // The error: the host is about to end, and no guest begins any more.
    Result<void> check_stays(Verb verb, const std::string& name) const;
    void start_loaded(FleetGuest& guest, Done done);
    void tell(const std::string& guest, GuestEvent::Kind kind, GuestState state, const std::string& detail);
    void drop(const std::string& name, Done done);
    bool any_alive() const;
    void end_if_quiet();

    GuestServices services_;
    HostAccount account_;
    GuestFactory factory_ = Guest::create_absent;
    std::map<std::string, std::unique_ptr<FleetGuest>> guests_;
    const GuestPlacement* placement_ = nullptr;
    std::vector<EventListener*> listeners_;
    uint64_t events_ = 0;
    std::function<void()> when_quiet_;  // set: the process is about to end
};

}  // namespace carrel
