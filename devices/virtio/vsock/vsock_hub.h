// VsockHub: the host's side of a vsock device, in Unix sockets, by the convention that Firecracker began:
//
//   host to guest   connect to PATH, send "CONNECT 1024\n", read "OK 1073741824\n" (the port that the guest
//                   sees), then bytes. The socket is closed where the guest doesn't listen.
//   guest to host   a connection to port 1024 of address 2 arrives at PATH_1024, where somebody listens,
//                   made by the connector's thread: see connector.h.
//
//        host's programs            hub                          device            guest
//   ─────────────────────────────────────────────────────────────────────────────────────
//     socket ──► readv, as much as the guest has credit for ──► receive queue ──► reader
//     socket ◄── write, the rest in a buffer of 128 KiB    ◄── transmit queue ◄── writer
//
// The buffer is what the guest has credit for, so that a program that doesn't read stops its own connection
// only. It outlives the device: connections go on while a machine is rebuilt. A hub in another process knows
// nothing of them, and has another identity; the device tells its driver then.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "devices/virtio/queue/descriptor_chain.h"
#include "devices/virtio/vsock/vsock_connection.h"
#include "vmm/base/connector.h"
#include "vmm/base/event_loop.h"
#include "vmm/base/mutex.h"
#include "vmm/base/opener.h"

namespace carrel::virtio {

// The device. The loop's thread.
class VsockListener {
  public:
    virtual ~VsockListener() = default;
    virtual void packets_waiting() = 0;
};

// Lock order: the device's, then the hub's. attach() and detach() on the loop's thread, or while it doesn't
// run; everything else on any.
class VsockHub {
  public:
    static constexpr size_t kMostConnections = 512;  // those that haven't said their port among them

    // Listens at `path`; `opener` outlives it.
    static Result<std::unique_ptr<VsockHub>> create(Opener& opener, const std::string& path, uint64_t cid);
    struct Descriptors {
        Fd listening, epoll, made;
    };
    VsockHub(Opener& opener, std::string path, uint64_t cid, uint64_t identity, Descriptors descriptors,
             std::unique_ptr<Connector> connector);  // use create()
    ~VsockHub();
    VsockHub(const VsockHub&) = delete;
    VsockHub& operator=(const VsockHub&) = delete;

    uint64_t cid() const { return cid_; }
    uint64_t identity() const { return identity_; }

    // The last one attached is the one that is told.
    void attach(VsockListener& listener, EventLoop& loop) EXCLUDES(mutex_);
    void detach(VsockListener& listener) EXCLUDES(mutex_);
    // The guest knows of no connection any more. Of a device that isn't attached any more: nothing.
    void forget(const VsockListener& listener) EXCLUDES(mutex_);

    // Whether there is something for the guest.
    bool waiting() const EXCLUDES(mutex_);
    // The next packet, into an empty chain; how many bytes. 0: the chain is too short.
    uint32_t to_guest(const DescriptorChain& chain) EXCLUDES(mutex_);
    // Whether a packet may be taken: there is room for what must be answered.
    bool room() const EXCLUDES(mutex_);
    void from_guest(const DescriptorChain& chain) EXCLUDES(mutex_);

    size_t connections() const EXCLUDES(mutex_);

  private:
    using Ports = std::pair<uint32_t, uint32_t>;     // the host's, the guest's
    static constexpr uint64_t kListening = 0;        // the id that no connection has
    static constexpr uint64_t kMade = ~uint64_t{0};  // nor this: the connector has something for us
    static constexpr size_t kMostAnswers = 256;

    static Result<std::unique_ptr<VsockHub>> create_at(Opener& opener, const std::string& path, uint64_t cid,
                                                       Fd listening);

    // The loop's side, vsock_sockets.cpp.
    void on_ready() EXCLUDES(mutex_);
    void on_event(uint64_t id, uint32_t events) REQUIRES(mutex_);
    void accept_all() REQUIRES(mutex_);
    void listen_again() REQUIRES(mutex_);
    void greet(VsockConnection& connection) REQUIRES(mutex_);
    void on_connected(uint64_t id, Result<Fd> fd) EXCLUDES(mutex_);  // the connector's thread
    bool watch(VsockConnection& connection) REQUIRES(mutex_);
    void arm(VsockConnection& connection) REQUIRES(mutex_);

    // The guest's side.
    void handle(const VsockHeader& header, ChainReader& reader) REQUIRES(mutex_);
    void open_for_guest(const VsockHeader& header) REQUIRES(mutex_);
    void respond(VsockConnection& connection) REQUIRES(mutex_);
    void shut_down(VsockConnection& connection, uint32_t flags) REQUIRES(mutex_);
    void take(VsockConnection& connection, ChainReader& reader, uint32_t length) REQUIRES(mutex_);
    void flushed(VsockConnection& connection) REQUIRES(mutex_);
    VsockHeader next_header(VsockConnection& connection, const DescriptorChain& chain) REQUIRES(mutex_);
    VsockHeader read_data(VsockConnection& connection, const DescriptorChain& chain) REQUIRES(mutex_);
    VsockHeader end_of_data(VsockConnection& connection) REQUIRES(mutex_);
    VsockHeader header_of(VsockConnection& connection, VsockOp op) REQUIRES(mutex_);

    // The table.
    VsockConnection* find(uint64_t id) REQUIRES(mutex_);
    VsockConnection* find(Ports ports) REQUIRES(mutex_);
    VsockConnection& add() REQUIRES(mutex_);
    void name(VsockConnection& connection, Ports ports) REQUIRES(mutex_);
    uint32_t free_port(uint32_t guest_port) REQUIRES(mutex_);
    void list(VsockConnection& connection) REQUIRES(mutex_);  // where something is due
    void unlist(VsockConnection& connection) REQUIRES(mutex_);
    void unname(const VsockConnection& connection) REQUIRES(mutex_);
    void drop(VsockConnection& connection) REQUIRES(mutex_);
    void break_off(VsockConnection& connection) REQUIRES(mutex_);  // the guest is told
    void answer_reset(const VsockHeader& to) REQUIRES(mutex_);
    void reset_ports(uint32_t host_port, uint32_t guest_port) REQUIRES(mutex_);

    Opener& opener_;
    const std::string path_;
    const uint64_t cid_, identity_;
    const Descriptors fds_;

    mutable Mutex mutex_;
    VsockListener* listener_ GUARDED_BY(mutex_) = nullptr;
    EventLoop* loop_ GUARDED_BY(mutex_) = nullptr;
    std::map<uint64_t, VsockConnection> connections_ GUARDED_BY(mutex_);
    std::map<Ports, uint64_t> by_ports_ GUARDED_BY(mutex_);
    std::deque<uint64_t> due_ GUARDED_BY(mutex_);         // each at most once, so that all get their turn
    std::deque<VsockHeader> answers_ GUARDED_BY(mutex_);  // resets
    uint64_t next_id_ GUARDED_BY(mutex_) = kListening + 1;
    uint32_t next_port_ GUARDED_BY(mutex_) = 0;
    bool listen_armed_ GUARDED_BY(mutex_) = true;
    size_t connecting_ GUARDED_BY(mutex_) = 0;  // wishes that the connector has, some perhaps forgotten here
    const std::unique_ptr<Connector> connector_;  // goes first: it calls us
};

}  // namespace carrel::virtio
