#include "app/documents/worker_sandbox.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace app {

namespace {

void limit(int resource, rlim_t amount)
{
    rlimit current{};
    getrlimit(static_cast<__rlimit_resource_t>(resource), &current);
    current.rlim_cur =
        current.rlim_max == RLIM_INFINITY || amount < current.rlim_max ? amount : current.rlim_max;
    current.rlim_max = current.rlim_cur;
    setrlimit(static_cast<__rlimit_resource_t>(resource), &current);
}

void limitResources(std::uint64_t memoryBytes)
{
#if !defined(__SANITIZE_ADDRESS__)
    limit(RLIMIT_AS, memoryBytes);
#else
    static_cast<void>(memoryBytes);
#endif
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 64);
    limit(RLIMIT_FSIZE, 0);
    std::signal(SIGXFSZ, SIG_IGN); // a font cache that cannot be written is no reason to end
}

/// Lets `path` and what is below it be read. Paths that do not exist are no loss.
void allowReading(int ruleset, const std::filesystem::path& path)
{
    const int parent = open(path.c_str(), O_PATH | O_CLOEXEC);
    if (parent < 0)
        return;
    struct stat information = {};
    const bool folder = fstat(parent, &information) == 0 && S_ISDIR(information.st_mode);
    landlock_path_beneath_attr rule{};
    rule.parent_fd = parent;
    rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
    if (folder)
        rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(parent);
}

bool lockFiles(const std::filesystem::path& document)
{
    landlock_ruleset_attr attributes{};
    attributes.handled_access_fs =
        (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; // all of the first version
    const auto ruleset =
        static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0));
    if (ruleset < 0)
        return false;
    for (const char* path : {"/usr", "/lib", "/lib64", "/etc/fonts", "/var/cache/fontconfig",
                             "/usr/share/fonts", "/etc/ld.so.cache"})
        allowReading(ruleset, path);
    allowReading(ruleset, document);
    const bool locked = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    close(ruleset);
    return locked;
}

/// Refuses calls by which a taken-over reader could reach out. A list of what is refused, not of
/// what is allowed: libraries change what they call, and none of them opens a socket to parse a
/// file.
bool lockSystemCalls()
{
#if defined(__x86_64__)
    constexpr std::array kRefused = {SYS_socket,         SYS_socketpair,     SYS_connect,
                                     SYS_bind,           SYS_listen,         SYS_accept4,
                                     SYS_execve,         SYS_execveat,       SYS_fork,
                                     SYS_vfork,          SYS_ptrace,         SYS_process_vm_readv,
                                     SYS_kill,           SYS_mount,          SYS_bpf,
                                     SYS_keyctl,         SYS_io_uring_setup, SYS_process_vm_writev,
                                     SYS_userfaultfd,    SYS_unshare,        SYS_setns,
                                     SYS_perf_event_open};
    std::vector<sock_filter> program = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        // Numbers from here on belong to the x32 calling convention, which nothing here uses.
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    for (const long number : kRefused) {
        program.push_back(
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1));
        program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1)); // EPERM
    }
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
#else
    return false;
#endif
}

} // namespace

Confinement confineWorker(const std::filesystem::path& document, std::uint64_t memoryBytes)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    limitResources(memoryBytes);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return {};
    Confinement confinement;
    confinement.filesLocked = lockFiles(document);
    confinement.systemLocked = lockSystemCalls();
    return confinement;
}

void allowComputingFor(std::uint64_t seconds)
{
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto soFar = static_cast<rlim_t>(used.ru_utime.tv_sec + used.ru_stime.tv_sec);
    rlimit current{};
    getrlimit(RLIMIT_CPU, &current);
    current.rlim_cur = std::min(soFar + seconds + 1, current.rlim_max);
    setrlimit(RLIMIT_CPU, &current);
}

} // namespace app
