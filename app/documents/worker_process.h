#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <sys/types.h>
#include <vector>

namespace app {

/// A child process whose standard output is read here. It ends with this object at the latest.
class WorkerProcess
{
public:
    /// Starts `executable`; standard input and standard error of the child are empty and discarded.
    /// @throws engine::Error (Internal) if it cannot be started.
    WorkerProcess(const std::filesystem::path& executable,
                  const std::vector<std::string>& arguments);
    ~WorkerProcess();
    WorkerProcess(const WorkerProcess&) = delete;
    WorkerProcess& operator=(const WorkerProcess&) = delete;

    enum class ReadResult
    {
        Data,
        End,     // the child closed its output
        Timeout, // nothing came for `patience`
        Stopped  // `stop` was requested
    };

    /// Waits for output and appends some of it to `buffer`.
    ReadResult read(std::string& buffer, std::chrono::milliseconds patience, std::stop_token stop);

    /// Ends the child at once if it still runs, and waits for it.
    void kill();

    /// How the child ended, for the log: "exit 3", "signal 11".
    std::string waitForEnd();

private:
    int m_output = -1;
    pid_t m_child = -1;
    std::string m_ending;
};

} // namespace app
