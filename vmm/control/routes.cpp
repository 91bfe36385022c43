#include "vmm/control/routes.h"

#include <array>
#include <vector>

#include "vmm/config/change.h"
#include "vmm/config/machine_json.h"
#include "vmm/control/control_json.h"

namespace carrel::control {
namespace {

using Reply = std::function<void(Answer)>;

// "/guests/web/start" as its words.
std::vector<std::string> words_of(const std::string& target) {
    std::vector<std::string> words;
    size_t at = 0;
    while (at < target.size()) {
        const size_t end = std::min(target.find('/', at + 1), target.size());
        words.push_back(target.substr(at + 1, end - at - 1));
        at = end;
    }
    return words;
}

Answer ok(std::string body = "{}\n", Status status = Status::kOk) {
    return {status, std::move(body), false};
}

Answer no_such_path(const Request& request) {
    return answer_to(usage_error(request.method + " " + request.target + " is nothing that there is",
                                 "vmm/control/README.md lists all paths"),
                     Status::kNotFound);
}

// The usage error of a verb is that it makes no sense now.
Answer of_verb(const Result<void>& result, Status success = Status::kOk) {
    return result.ok() ? ok("{}\n", success) : answer_to(result.error(), Status::kConflict);
}

void create(Fleet& fleet, const Request& request, const Reply& done) {
    const auto config = config::machine_from_json(request.body, "");
    if (!config.ok()) return done(answer_to(config.error(), Status::kBadRequest));
    fleet.create(*config, [done](const Result<void>& made) { done(of_verb(made, Status::kCreated)); });
}

void serve_host(Fleet& fleet, const std::vector<std::string>& words, const Request& request,
                const Reply& done) {
    if (words.size() == 1 && request.method == "GET")
        return done(ok(host_json(fleet.account(), fleet.policy(), fleet.placement())));
    if (words.size() == 2 && words[1] == "policy" && request.method == "PUT") {
        const auto policy = policy_from_json(request.body);
        if (!policy.ok()) return done(answer_to(policy.error(), Status::kBadRequest));
        return done(of_verb(fleet.set_policy(*policy)));
    }
    done(no_such_path(request));
}

void change(Fleet& fleet, const std::string& name, const Request& request, const Reply& done) {
    const auto changed = fleet.change(name, [&request](const MachineConfig& now, bool fixed) {
        return config::changed(now, request.body, fixed, "");
    });
    done(changed.ok() ? ok() : answer_to(changed.error(), Status::kBadRequest));
}

void serve_guest(Fleet& fleet, const std::string& name, const Request& request, const Reply& done) {
    if (request.method == "GET") {
        const auto shown = fleet.show(name);
        return done(shown.ok() ? ok(guest_json(*shown)) : answer_to(shown.error(), Status::kNotFound));
    }
    if (request.method == "PATCH") return change(fleet, name, request, done);
    if (request.method == "DELETE")
        return fleet.remove(name, [done](const Result<void>& gone) { done(of_verb(gone)); });
    done(no_such_path(request));
}

// POST /guests/NAME/VERB. False: it is none of these.
bool serve_verb(Fleet& fleet, const std::string& name, const std::string& verb, const Reply& done) {
    using Act = void (*)(Fleet&, const std::string&, Fleet::Done);
    const std::array<std::pair<const char*, Act>, 6> verbs = {{
        {"start",
         [](Fleet& f, const std::string& guest, Fleet::Done told) { f.start(guest, std::move(told)); }},
        {"pause",
         [](Fleet& f, const std::string& guest, Fleet::Done told) { f.pause(guest, std::move(told)); }},
        {"resume", [](Fleet& f, const std::string& guest,
                      Fleet::Done told) { f.resume(guest, false, std::move(told)); }},
        {"resume-realtime", [](Fleet& f, const std::string& guest,
                               Fleet::Done told) { f.resume(guest, true, std::move(told)); }},
        {"stop", [](Fleet& f, const std::string& guest, Fleet::Done told) { told(f.stop(guest)); }},
        {"kill", [](Fleet& f, const std::string& guest, Fleet::Done told) { told(f.kill(guest)); }},
    }};
    for (const auto& [word, act] : verbs) {
        if (verb != word) continue;
        act(fleet, name, [done](const Result<void>& result) { done(of_verb(result)); });
        return true;
    }
    return false;
}

void serve_part(Fleet& fleet, const std::string& name, const std::string& part, const Request& request,
                const Reply& done) {
    if (request.method == "GET" && part == "stats") {
        return fleet.stats(name, [&fleet, done, name](const Result<GuestStats>& stats) {
            done(stats.ok() ? ok(stats_json(name, *stats, fleet.placement()))
                            : answer_to(stats.error(), Status::kNotFound));
        });
    }
    if (request.method == "GET" && part == "console") {
        const auto ends = fleet.console(name);
        if (!ends.ok()) return done(answer_to(ends.error(), Status::kConflict));
        std::string text(ConsoleHistory::kSize, '\0');
        const auto piece =
            ends->transcript->read(ends->transcript->begin(), std::as_writable_bytes(std::span(text)));
        text.resize(piece.size);
        return done({Status::kOk, std::move(text), true});
    }
    if (request.method == "POST" && serve_verb(fleet, name, part, done)) return;
    done(no_such_path(request));
}

// Each verb refuses a guest that isn't there in its own words.
Reply not_found(Reply done) {
    return [done = std::move(done)](Answer answer) {
        answer.status = Status::kNotFound;
        done(std::move(answer));
    };
}

}  // namespace

Answer answer_to(const Error& error, Status of_usage) {
    return {error.fault == Fault::kUsage ? of_usage : Status::kHostFailed, error_json(error), false};
}

void serve(Fleet& fleet, const Request& request, Reply done) {
    const std::vector<std::string> words = words_of(request.target);
    const std::string first = words.empty() ? std::string() : words[0];
    if (first == "host") return serve_host(fleet, words, request, done);
    if (first != "guests" || words.size() > 3) return done(no_such_path(request));
    if (words.size() == 1) {
        if (request.method == "GET") return done(ok(guests_json(fleet.list())));
        if (request.method == "POST") return create(fleet, request, done);
        return done(no_such_path(request));
    }
    if (!fleet.show(words[1]).ok()) done = not_found(std::move(done));
    if (words.size() == 2) return serve_guest(fleet, words[1], request, done);
    serve_part(fleet, words[1], words[2], request, done);
}

std::optional<std::string> console_of(const Request& request) {
    const std::vector<std::string> words = words_of(request.target);
    const bool right = request.method == "GET" && request.upgrade == kConsoleProtocol && words.size() == 3 &&
                       words[0] == "guests" && words[2] == "console";
    return right ? std::optional(words[1]) : std::nullopt;
}

bool is_event_stream(const Request& request) {
    return request.method == "GET" && request.target == "/events";
}

}  // namespace carrel::control
