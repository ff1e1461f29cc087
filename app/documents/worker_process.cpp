#include "app/documents/worker_process.h"

#include "engine/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace app {

namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 16;

[[noreturn]] void refuseStart(const std::string& detail)
{
    throw engine::Error(
        engine::ErrorCode::Internal,
        "The reader of documents could not be started. Restart the program; if that does not "
        "help, install it again.",
        detail);
}

/// What the child gets: our pipe as standard output and nothing else that is open here.
class SpawnActions
{
public:
    explicit SpawnActions(int output)
    {
        posix_spawn_file_actions_init(&m_actions);
        posix_spawn_file_actions_addopen(&m_actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&m_actions, output, STDOUT_FILENO);
        posix_spawn_file_actions_addopen(&m_actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_addclosefrom_np(&m_actions, STDERR_FILENO + 1);
    }
    ~SpawnActions() { posix_spawn_file_actions_destroy(&m_actions); }
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;

    const posix_spawn_file_actions_t* get() const { return &m_actions; }

private:
    posix_spawn_file_actions_t m_actions{};
};

/// Becomes readable when a stop is requested, so that a wait for the child ends at once.
class StopSignal
{
public:
    explicit StopSignal(std::stop_token stop)
        : m_event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
        , m_callback(std::move(stop), Wake{m_event})
    {}
    ~StopSignal()
    {
        if (m_event >= 0)
            close(m_event);
    }
    StopSignal(const StopSignal&) = delete;
    StopSignal& operator=(const StopSignal&) = delete;

    int descriptor() const { return m_event; }

private:
    struct Wake
    {
        int event;
        void operator()() const { eventfd_write(event, 1); }
    };

    int m_event;
    std::stop_callback<Wake> m_callback;
};

} // namespace

WorkerProcess::WorkerProcess(const std::filesystem::path& executable,
                             const std::vector<std::string>& arguments)
{
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        refuseStart(std::string("pipe: ") + std::strerror(errno));
    std::string name = executable.string();
    std::vector<std::string> copies = arguments;
    std::vector<char*> pointers = {name.data()};
    for (std::string& argument : copies)
        pointers.push_back(argument.data());
    pointers.push_back(nullptr);

    const SpawnActions actions(ends[1]);
    const int status =
        posix_spawn(&m_child, executable.c_str(), actions.get(), nullptr, pointers.data(), environ);
    close(ends[1]);
    m_output = ends[0];
    if (status != 0) {
        close(m_output);
        refuseStart(name + ": " + std::strerror(status));
    }
}

WorkerProcess::~WorkerProcess()
{
    kill();
    close(m_output);
}

WorkerProcess::ReadResult
WorkerProcess::read(std::string& buffer, std::chrono::milliseconds patience, std::stop_token stop)
{
    const StopSignal signal(stop);
    std::array<pollfd, 2> watched = {pollfd{m_output, POLLIN, 0},
                                     pollfd{signal.descriptor(), POLLIN, 0}};
    const auto deadline = std::chrono::steady_clock::now() + patience;
    int ready = -1;
    do {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        ready =
            poll(watched.data(), watched.size(), static_cast<int>(std::max<long>(left.count(), 0)));
    } while (ready < 0 && errno == EINTR);
    if (stop.stop_requested())
        return ReadResult::Stopped;
    if (ready <= 0)
        return ReadResult::Timeout;

    const std::size_t before = buffer.size();
    buffer.resize(before + kReadBytes);
    ssize_t got = 0;
    do {
        got = ::read(m_output, buffer.data() + before, kReadBytes);
    } while (got < 0 && errno == EINTR);
    buffer.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return got > 0 ? ReadResult::Data : ReadResult::End;
}

void WorkerProcess::kill()
{
    if (m_child > 0)
        ::kill(m_child, SIGKILL);
    waitForEnd();
}

std::string WorkerProcess::waitForEnd()
{
    int status = 0;
    pid_t ended = -1;
    while (m_child > 0 && (ended = waitpid(m_child, &status, 0)) < 0 && errno == EINTR) {
    }
    if (ended > 0)
        m_ending = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                       : "exit " + std::to_string(WEXITSTATUS(status));
    m_child = -1;
    return m_ending;
}

} // namespace app
