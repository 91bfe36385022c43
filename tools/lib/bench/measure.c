// measure: runs one VMM inside the emulated host, prints one line of JSON about that run. Static: it runs in any root.
//
//   measure NAME MODE GUEST-MIB SECONDS -- COMMAND [ARG]...
//
// The VMM's stdout is a pipe that is read here, as a CI job's would be. The modes are apart so that
// looking at one thing doesn't change another:
//   time    nothing is watched: when the marker came, when the process was gone, the kernel's own counters around that
//   count   the tracepoints of KVM are on: exits to userspace by reason; and all exits, from KVM's statistics
//   memory  stopped when the marker comes, and /proc/PID/smaps read
//   small   the same without transparent huge pages: then what is resident in guest memory is what was touched
//   trace   system calls, page faults, entries to the guest, switches of threads: the kernel's trace follows the line
// The lines are read by emulated.py.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char kMarker[] = "carrel-userspace";
static const char kStderr[] = "/tmp/measure.stderr";
static const char kThp[] = "/sys/kernel/mm/transparent_hugepage/enabled";
#define TRACING "/sys/kernel/tracing/"

enum mode { kTime, kCount, kTrace, kMemory, kSmall, kModes };
static const char *const kModeNames[kModes] = {"time", "count", "trace", "memory", "small"};

struct request {
    const char *name;
    enum mode mode;
    long guest_kib;
    int seconds;
    char **command;
};

struct counters {
    long faults, major_faults, huge_faults, huge_fallbacks;
};

struct area {
    unsigned long start, end;
    char perms[8], name[48];
    int is_file, is_guest;
    long rss, anon, huge;
};

struct memory {
    long guest_rss, guest_huge, file, anon, other, tables;
    struct area areas[4096];
    size_t count;
};

struct run {
    pid_t pid;
    int pidfd, output, vm_fd;
    double started, first_line, ended, gone;
    long bytes;
    int wait_status, timed_out;
    struct rusage usage;
    struct memory memory;
    char tail[sizeof kMarker + 4096];
    size_t tail_length;
};

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "measure: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "%s%s\n", errno ? ": " : "", errno ? strerror(errno) : "");
    va_end(arguments);
    exit(99);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void write_file(const char *path, const char *text) {
    const int fd = open(path, O_WRONLY | O_TRUNC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0) die("cannot write %s to %s", text, path);
    close(fd);
}

// The number that follows `key` at the start of a line of the file; 0 without one.
static long number_in(const char *path, const char *key) {
    char line[512];
    long value = 0;
    FILE *const file = fopen(path, "re");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0) value = atol(line + strlen(key));
    fclose(file);
    return value;
}

static struct counters read_counters(void) {
    static const char path[] = "/proc/vmstat";
    return (struct counters){number_in(path, "pgfault "), number_in(path, "pgmajfault "),
                             number_in(path, "thp_fault_alloc "), number_in(path, "thp_fault_fallback ")};
}

// --- tracing ---

static void count_exits(int on) {
    static const char *const triggers[] = {TRACING "events/kvm/kvm_userspace_exit/trigger", "hist:keys=reason",
                                           TRACING "events/kvm/kvm_exit/trigger", "hist:keys=exit_reason"};
    char text[64];
    for (int i = 0; i < 4; i += 2) {
        snprintf(text, sizeof text, "%s%s", on ? "" : "!", triggers[i + 1]);
        write_file(triggers[i], text);
    }
}

static void trace(const char *on) {
    static const char *const events[] = {"raw_syscalls/sys_enter", "raw_syscalls/sys_exit", "kvm/kvm_entry", "kvm/kvm_exit",
                                         "exceptions/page_fault_user", "sched/sched_switch"};
    char path[128];
    write_file(TRACING "trace_clock", "mono");
    write_file(TRACING "buffer_size_kb", on[0] == '1' ? "32768" : "1");
    write_file(TRACING "options/event-fork", on);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; ++i) {
        snprintf(path, sizeof path, TRACING "events/%s/enable", events[i]);
        write_file(path, on);
    }
}

// In the child: this process and those that it makes.
static void trace_me(void) {
    char pid[16];
    snprintf(pid, sizeof pid, "%d", getpid());
    write_file(TRACING "set_event_pid", pid);
}

// Each line of the trace with a T and a blank before it.
static void print_trace(void) {
    char line[1024];
    FILE *const file = fopen(TRACING "trace", "re");
    if (!file) die("cannot open the trace");
    while (fgets(line, sizeof line, file))
        if (line[0] != '#') printf("T %s", line);
    fclose(file);
}

// --- the VMM ---

// The clock is read by the child, last thing before exec: making a process isn't the VMM's work.
static void start(const struct request *request, struct run *run) {
    int ends[2];
    double *const started = mmap(NULL, sizeof *started, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (started == MAP_FAILED || pipe2(ends, O_CLOEXEC) != 0) die("cannot prepare");
    run->pid = fork();
    if (run->pid < 0) die("cannot fork");
    if (run->pid == 0) {
        const int null = open("/dev/null", O_RDONLY), log = open(kStderr, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(null, 0);
        dup2(ends[1], 1);
        dup2(log, 2);
        close_range(3, ~0U, 0);
        if (request->mode == kTrace) trace_me();
        *started = now();
        execvp(request->command[0], request->command);
        die("cannot run %s", request->command[0]);
    }
    close(ends[1]);
    run->output = ends[0];
    run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
    if (run->pidfd < 0) die("cannot open the process");
    // Set for good once the child runs: read after the first byte or the end.
    while (*(volatile double *)started == 0) usleep(0);
    run->started = *started;
    munmap(started, sizeof *started);
}

#include "measure_memory.h"

// --- exits ---

// A copy of the VM's descriptor keeps KVM's statistics readable when the process is gone.
static void keep_vm(struct run *run) {
    char path[64], target[64], link[384];
    snprintf(path, sizeof path, "/proc/%d/fd", run->pid);
    DIR *const folder = opendir(path);
    if (!folder) die("cannot open %s", path);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        snprintf(link, sizeof link, "%s/%s", path, entry->d_name);
        const ssize_t length = readlink(link, target, sizeof target - 1);
        if (length <= 0) continue;
        target[length] = 0;
        if (strcmp(target, "anon_inode:kvm-vm") != 0) continue;
        run->vm_fd = (int)syscall(SYS_pidfd_getfd, run->pidfd, atoi(entry->d_name), 0);
        break;
    }
    closedir(folder);
}

// KVM's totals are those of the VMs that exist: ours.
static long statistic(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "/sys/kernel/debug/kvm/%s", name);
    return number_in(path, "");
}

// Prints how often each reason came. Returns the sum.
static long print_histogram(const char *event, const char *key) {
    char text[512], format[64];
    long reason = 0, count = 0, total = 0;
    snprintf(text, sizeof text, TRACING "events/kvm/%s/hist", event);
    snprintf(format, sizeof format, "{ %s: %%ld } hitcount: %%ld", key);
    FILE *const file = fopen(text, "re");
    if (!file) die("cannot open %s", text);
    printf(",\"%s\":{", event);
    while (fgets(text, sizeof text, file))
        if (sscanf(text, format, &reason, &count) == 2) {
            printf("%s\"%ld\":%ld", total ? "," : "", reason, count);
            total += count;
        }
    fclose(file);
    printf("}");
    return total;
}

static void print_exits(const struct run *run) {
    static const char *const names[] = {"exits", "halt_exits", "irq_exits", "irq_window_exits", "io_exits", "mmio_exits",
                                        "insn_emulation", "pf_taken", "pf_fixed", "signal_exits", "hypercalls"};
    if (run->vm_fd < 0) return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; ++i)
        printf(",\"kvm_%s\":%ld", names[i], statistic(names[i]));
    printf(",\"userspace_exits\":%ld", print_histogram("kvm_userspace_exit", "reason"));
    print_histogram("kvm_exit", "exit_reason");
}

// --- one run ---

static void on_marker(const struct request *request, struct run *run) {
    run->first_line = now();
    if (request->mode == kCount) keep_vm(run);
    if (request->mode >= kMemory) look_at_memory(request, run);
}

// Keeps as much of the end as may hold the marker's beginning.
static void take_output(const struct request *request, struct run *run) {
    const ssize_t got = read(run->output, run->tail + run->tail_length, 4096);
    if (got <= 0) {
        close(run->output);
        run->output = -1;
        return;
    }
    run->bytes += got;
    run->tail_length += (size_t)got;
    if (run->first_line != 0) {
        run->tail_length = 0;
        return;
    }
    if (memmem(run->tail, run->tail_length, kMarker, sizeof kMarker - 1)) return on_marker(request, run);
    const size_t keep = run->tail_length < sizeof kMarker ? run->tail_length : sizeof kMarker;
    memmove(run->tail, run->tail + run->tail_length - keep, keep);
    run->tail_length = keep;
}

static void follow(const struct request *request, struct run *run) {
    for (;;) {
        struct pollfd wanted[2] = {{.fd = run->pidfd, .events = POLLIN}, {.fd = run->output, .events = POLLIN}};
        const double left = run->started + request->seconds - now();
        const int got = poll(wanted, 2, left > 0 && !run->timed_out ? (int)(left * 1000) + 1 : -1);
        if (got == 0) {
            run->timed_out = 1;
            kill(run->pid, SIGKILL);
        }
        if (wanted[1].revents) take_output(request, run);
        else if (wanted[0].revents) break;
    }
    if (wait4(run->pid, &run->wait_status, 0, &run->usage) != run->pid) die("cannot wait");
    run->ended = now();
}

// A VMM may leave its teardown to a process of its own: that one becomes our child. Returns when the last one is gone.
static void wait_for_leftovers(struct run *run) {
    if (run->vm_fd >= 0) close(run->vm_fd);
    alarm(10);
    while (wait(NULL) > 0 || errno == EINTR) {
    }
    alarm(0);
    run->gone = now();
}

static int exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

static void print_run(const struct request *request, struct run *run, struct counters before, struct counters after) {
    const struct rusage *const u = &run->usage;
    printf("{\"name\":\"%s\",\"mode\":\"%s\",\"status\":%d,\"timed_out\":%d", request->name, kModeNames[request->mode],
           exit_code(run->wait_status), run->timed_out);
    if (run->first_line != 0) printf(",\"first_line\":%.6f", run->first_line - run->started);
    printf(",\"pid\":%d,\"started\":%.6f", run->pid, run->started);
    printf(",\"end\":%.6f,\"bytes\":%ld", run->ended - run->started, run->bytes);
    printf(",\"user\":%ld.%06ld,\"system\":%ld.%06ld,\"max_rss\":%ld", u->ru_utime.tv_sec, u->ru_utime.tv_usec,
           u->ru_stime.tv_sec, u->ru_stime.tv_usec, u->ru_maxrss);
    printf(",\"faults\":%ld,\"major_faults\":%ld,\"huge_faults\":%ld,\"huge_fallbacks\":%ld", after.faults - before.faults,
           after.major_faults - before.major_faults, after.huge_faults - before.huge_faults,
           after.huge_fallbacks - before.huge_fallbacks);
    if (request->mode == kCount) print_exits(run);
    print_memory(&run->memory);
    // The statistics live as long as the VM: printed before we wait for what was left.
    wait_for_leftovers(run);
    printf(",\"gone\":%.6f}\n", run->gone - run->started);
}

static struct request parse(int count, char **words) {
    struct request request = {0};
    if (count < 7 || strcmp(words[5], "--") != 0) die("usage: measure NAME MODE GUEST-MIB SECONDS -- COMMAND [ARG]...");
    for (request.mode = kTime; request.mode < kModes; ++request.mode)
        if (strcmp(words[2], kModeNames[request.mode]) == 0) break;
    if (request.mode == kModes) die("no mode %s", words[2]);
    request.name = words[1];
    request.guest_kib = atol(words[3]) * 1024;
    request.seconds = atoi(words[4]);
    request.command = words + 6;
    return request;
}

// What the VMM said, where it didn't reach the guest's userspace.
static void show_stderr(void) {
    char line[512];
    FILE *const file = fopen(kStderr, "re");
    while (file && fgets(line, sizeof line, file)) fprintf(stderr, "| %s", line);
    if (file) fclose(file);
}

int main(int count, char **words) {
    const struct request request = parse(count, words);
    static struct run run = {.vm_fd = -1};
    if (request.mode == kCount) count_exits(1);
    if (request.mode == kTrace) trace("1");
    if (request.mode == kSmall) write_file(kThp, "never");
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) die("cannot adopt");
    const struct counters before = read_counters();
    start(&request, &run);
    follow(&request, &run);
    const struct counters after = read_counters();
    print_run(&request, &run, before, after);
    if (run.first_line == 0 || run.timed_out) show_stderr();
    if (request.mode == kCount) count_exits(0);
    if (request.mode == kTrace) print_trace();
    if (request.mode == kSmall) write_file(kThp, "always");
    return run.first_line == 0 || run.timed_out;
}
