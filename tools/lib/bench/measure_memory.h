// Part of measure.c, which includes it where its words are known: what of a process is resident, the guest's memory apart.
// Adjacent areas whose sizes add up to the guest's memory (a hint for a part of it splits an area).
static size_t guest_areas(const struct area *areas, size_t count, long guest_kib, size_t *first) {
    for (*first = 0; *first < count; ++*first) {
        unsigned long sum = 0;
        for (size_t i = *first; i < count; ++i) {
            if (areas[i].perms[1] != 'w' || (i > *first && areas[i].start != areas[i - 1].end)) break;
            sum += (areas[i].end - areas[i].start) >> 10;
            if (sum == (unsigned long)guest_kib) return i - *first + 1;
        }
    }
    return 0;
}

// The last part of the path, without the line's end and what JSON would have to escape.
static void keep_name(struct area *area, const char *path) {
    const char *const slash = strrchr(path, '/');
    snprintf(area->name, sizeof area->name, "%s", slash ? slash + 1 : path);
    area->name[strcspn(area->name, "\n\"\\ ")] = 0;
}

static size_t read_areas(pid_t pid, struct area *areas, size_t room) {
    char path[64], line[4352];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps", pid);
    FILE *const file = fopen(path, "re");
    if (!file) die("cannot open %s", path);
    while (fgets(line, sizeof line, file)) {
        struct area area = {0};
        int name = 0;
        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %n", &area.start, &area.end, area.perms, &name) == 3) {
            if (count == room) die("too many areas");
            area.is_file = line[name] == '/' && strncmp(line + name, "/memfd", 6) != 0 && strncmp(line + name, "/dev", 4) != 0;
            keep_name(&area, line + name);
            areas[count++] = area;
        } else if (count > 0) {
            sscanf(line, "Rss: %ld", &areas[count - 1].rss);
            sscanf(line, "Anonymous: %ld", &areas[count - 1].anon);
            sscanf(line, "AnonHugePages: %ld", &areas[count - 1].huge);
        }
    }
    fclose(file);
    return count;
}

static void read_memory(const struct request *request, struct run *run) {
    struct memory *const m = &run->memory;
    struct area *const areas = m->areas;
    const size_t count = m->count = read_areas(run->pid, areas, sizeof m->areas / sizeof m->areas[0]);
    size_t first = 0;
    const size_t length = guest_areas(areas, count, request->guest_kib, &first);
    errno = 0;
    if (length == 0) die("%s has no %ld KiB of guest memory", request->name, request->guest_kib);
    for (size_t i = 0; i < count; ++i) {
        struct area *const a = &areas[i];
        a->is_guest = i >= first && i < first + length;
        if (a->is_guest) {
            m->guest_rss += a->rss;
            m->guest_huge += a->huge;
        } else {
            m->anon += a->anon;
            *(a->is_file ? &m->file : &m->other) += a->rss - a->anon;
        }
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", run->pid);
    m->tables = number_in(path, "VmPTE:");
}

static void print_memory(const struct memory *m) {
    if (m->count == 0) return;
    printf(",\"guest_rss\":%ld,\"guest_huge\":%ld,\"file\":%ld,\"anon\":%ld,\"other\":%ld,\"tables\":%ld,\"areas\":[",
           m->guest_rss, m->guest_huge, m->file, m->anon, m->other, m->tables);
    const char *separator = "";
    for (const struct area *a = m->areas; a < m->areas + m->count; ++a) {
        if (a->is_guest || a->rss == 0) continue;
        printf("%s[\"%s\",\"%s\",%ld,%ld]", separator, a->name, a->perms, a->rss, a->anon);
        separator = ",";
    }
    printf("]");
}

static void look_at_memory(const struct request *request, struct run *run) {
    siginfo_t info;
    kill(run->pid, SIGSTOP);
    if (waitid(P_PID, (id_t)run->pid, &info, WSTOPPED | WEXITED | WNOWAIT) != 0) die("cannot wait");
    if (info.si_code == CLD_STOPPED) {
        read_memory(request, run);
        kill(run->pid, SIGCONT);
    }
}
