// A machine's state as bytes, and a machine that is built anew from them while its guest runs.
#include "vmm/machine/machine.h"

namespace carrel {

Result<std::vector<std::byte>> Machine::save() const {
    ByteWriter writer;
    description_.save(writer);
    hardware_.board->save(writer);
    TRY(hardware_.vm->save(writer));
    for (const auto& vcpu : hardware_.vcpus) TRY(vcpu->save(writer, description_.msr_list));
    return std::move(writer).take();
}

Result<void> Machine::restore(ByteReader& reader) {
    TRY(hardware_.board->restore(reader));
    TRY(hardware_.vm->restore(reader));
    for (const auto& vcpu : hardware_.vcpus) TRY(vcpu->restore(reader));
    return {};
}

void Machine::on_rebuild_due() {
    if (rebuild_posted_.exchange(true)) return;
    post([this] {
        if (ended() || pausing_since_) return rebuild_posted_.store(false);
        if (const auto rebuilt = rebuild(); !rebuilt.ok()) {
            end(MachineEnd{EndReason::kHostFailure, rebuilt.error().sentence()});
        }
        rebuild_posted_ = false;
    });
}

void Machine::post(std::function<void()> task) {
    services_.io.post([task = std::move(task), alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) task();
    });
}

// Where something fails, the old hardware is still there, its threads ended.
Result<void> Machine::rebuild() {
    for (bool stands = false; !stands;) {
        TRY_ASSIGN(stands, stand_still(kFirstWait));
    }
    pausing_since_.reset();  // its threads end, and new ones run on
    const auto state = save();
    join_all();
    TRY(state);
    ByteReader reader(*state);
    TRY_ASSIGN(description_, MachineDescription::restore(reader));
    Hardware fresh;
    TRY(make_vm(fresh));
    TRY(map_memory(*fresh.vm));
    TRY(make_board(fresh));
    past_ = statistics();
    samplers_.clear();
    runners_.clear();
    std::swap(hardware_, fresh);  // before restoring: input that is asked for then must reach the new board
    fresh.vm->leave_wiring_to_kernel();
    TRY(restore(reader));
    return start_threads();
}

}  // namespace carrel
