// Serial: a 16550A UART. National Semiconductor, PC16550D datasheet; registers in serial_registers.h.
//
// Missing, and what a guest sees instead:
//   - Line speed: the divisor is kept and ignored. A character leaves at once, so THRE and TEMT are always 1,
//     and the four character times of the receive timeout (8.4) are over at once: a FIFO that holds anything
//     below its trigger level shows IIR 0x0c.
//   - Word length, parity, stop bits: kept and ignored. Eight bits travel, always without error.
//   - A break sent (LCR bit 6): kept and ignored. A break received is there: receive_break().
//   - DMA (FCR bit 3, no pins), automatic flow control (MCR bit 5, the 16550C's): CTS is always up.
//   - An overrun outside loopback: the line waits instead (see below).
//
//   guest ──THR──► ByteSink                                 (not in loopback)
//   guest ◄──RBR── FIFO, 16 ◄── line, 256 ◄── receive()     the line stops while in loopback, while the FIFO
//                                                           is full, and while nobody listens
//
// *Nobody listens* until the guest has enabled the receive interrupt and its gate (IER bit 0, MCR OUT2) or
// polls LSR kPollsToListen times without doing anything else. Without this rule, what a user types or pipes
// in early would be lost in the drivers' probing, which clears the FIFO several times. For the same reason
// switching the FIFOs on or off (FCR bit 0) puts what has just arrived back on the line: Linux listens before
// it does that, and a real character takes 87 us to arrive, ours none.
//
// Coalesced transmission. A deferred write to offset 0 is harmless exactly while all it does is hand a byte
// to the sink. So it is asked for only while
//     IER.ETBEI = 0   with it on, THRE must interrupt after each byte, and no exit would follow to do so
//     LCR.DLAB = 0    the port is DLL then
//     MCR.LOOP = 0    the byte comes back as input, and may have to interrupt
// With several vCPUs one may leave that state while another's byte is in the ring. Two rules for whoever
// implements TransmitCoalescing make that right: (1) after *every* exit, before it is handled, the ring is
// emptied into transmit(); (2) taking from the ring and delivering are one step under one lock, so that
// nobody finds the ring empty while a byte is still on its way. A guest whose vCPUs take turns at the UART
// under a lock of its own then sees program order: the byte was in the ring before the other vCPU's access
// left the guest. A guest without such a lock raced on hardware, too. enable() is called with our mutex held:
// it must not empty the ring itself.
// Each change costs the host a synchronisation of all vCPUs, therefore only a guest that has sent
// kBytesToCoalesce bytes in this state gets it.
#pragma once

#include <cstdint>
#include <span>

#include "devices/char_queue.h"
#include "devices/serial_registers.h"
#include "vmm/base/byte_sink.h"
#include "vmm/base/mutex.h"
#include "vmm/bus/device.h"
#include "vmm/bus/irq_line.h"
#include "vmm/bus/transmit_coalescing.h"

namespace carrel {

// All that a guest can see of the UART, now or later.
struct SerialState {
    uint8_t interrupt_enable = 0;
    uint8_t fifo_control = 0;
    uint8_t line_control = 0;
    uint8_t modem_control = 0;
    uint8_t scratch = 0;
    uint8_t divisor_low = 12;  // 9,600 baud; the datasheet leaves it open
    uint8_t divisor_high = 0;
    uint8_t errors = 0;             // LSR bits that a read clears
    uint8_t modem_deltas = 0;       // MSR bits that a read clears
    uint8_t idle_polls = 0;         // reads of LSR since the guest did anything else
    bool transmit_pending = false;  // the THRE interrupt has its cause
    CharQueue<16> received;
    CharQueue<256 + 16> line;  // accepted from the host, not yet arrived; 16 are for what goes back
};

class Serial final : public Device, public ByteReceiver, public TransmitRegister {
  public:
    static constexpr uint64_t kSize = uart::kRegisters;
    static constexpr uint8_t kPollsToListen = 8;
    static constexpr size_t kBytesToCoalesce = 8;
    static constexpr size_t kLineRoom = 256;

    // All of them outlive the device. `coalescing` is null where KVM has none.
    Serial(IrqLine& irq, ByteSink& sink, TransmitCoalescing* coalescing);

    // Who feeds receive(); told when there is room again after room() was 0. Null: nobody.
    void set_room_listener(RoomListener* listener) EXCLUDES(mutex_);

    std::string_view name() const override { return "serial"; }
    void read(uint64_t offset, std::span<std::byte> data) override EXCLUDES(mutex_);
    void write(uint64_t offset, std::span<const std::byte> data) override EXCLUDES(mutex_);
    void reset() override EXCLUDES(mutex_);
    void save(ByteWriter& writer) const override EXCLUDES(mutex_);
    Result<void> restore(ByteReader& reader) override EXCLUDES(mutex_);

    // The same as writing each byte to offset 0 in turn, but with one lock and one call of the sink: for
    // coalesced writes and string output. Any vCPU thread.
    void transmit(std::span<const std::byte> bytes) override EXCLUDES(mutex_);

    // io thread. What is beyond room() is dropped.
    size_t room() override EXCLUDES(mutex_);
    void receive(std::span<const std::byte> bytes) override EXCLUDES(mutex_);
    // A break condition on the line; dropped when room() is 0. io thread.
    void receive_break() EXCLUDES(mutex_);

  private:
    uint8_t read_register(uint64_t offset) REQUIRES(mutex_);
    void write_register(uint64_t offset, uint8_t value) REQUIRES(mutex_);
    uint8_t read_data() REQUIRES(mutex_);
    uint8_t read_interrupt_id() REQUIRES(mutex_);
    uint8_t read_line_status() REQUIRES(mutex_);
    uint8_t read_modem_status() REQUIRES(mutex_);
    void write_transmit(uint8_t value) REQUIRES(mutex_);
    void write_interrupt_enable(uint8_t value) REQUIRES(mutex_);
    void write_fifo_control(uint8_t value) REQUIRES(mutex_);
    void write_modem_control(uint8_t value) REQUIRES(mutex_);

    bool divisor_open() const REQUIRES(mutex_);
    bool loopback() const REQUIRES(mutex_);
    bool fifos_on() const REQUIRES(mutex_);
    bool only_to_sink() const REQUIRES(mutex_);
    bool listening() const REQUIRES(mutex_);
    size_t depth() const REQUIRES(mutex_);
    size_t trigger_level() const REQUIRES(mutex_);
    uint8_t interrupt_id() const REQUIRES(mutex_);
    uint8_t modem_inputs() const REQUIRES(mutex_);

    void send(std::span<const std::byte> bytes) REQUIRES(mutex_);
    void loop_back(uint8_t byte) REQUIRES(mutex_);
    void arrive(SerialChar c) REQUIRES(mutex_);
    void show_front_errors() REQUIRES(mutex_);
    void advance_line() REQUIRES(mutex_);
    void put_back_on_line() REQUIRES(mutex_);
    size_t line_room() const REQUIRES(mutex_);
    void update_interrupt() REQUIRES(mutex_);
    void update_coalescing() REQUIRES(mutex_);
    // After every change: moves input on and makes all outputs right. Returns whom to tell about room, to be
    // called without the mutex; may be null.
    RoomListener* settle() REQUIRES(mutex_);

    IrqLine& irq_;
    ByteSink& sink_;
    TransmitCoalescing* const coalescing_;
    mutable Mutex mutex_;
    SerialState state_ GUARDED_BY(mutex_);
    RoomListener* room_listener_ GUARDED_BY(mutex_) = nullptr;
    bool feeder_waits_ GUARDED_BY(mutex_) = false;  // room() was 0 and on_room() wasn't called since
    bool coalescing_on_ GUARDED_BY(mutex_) = false;
    size_t polled_bytes_ GUARDED_BY(mutex_) = 0;  // sent where coalescing is harmless; saturates
};

}  // namespace carrel
