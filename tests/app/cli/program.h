#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/types.h>
#include <vector>

namespace tests {

/// What a run of the program left behind.
struct Finished
{
    int code = -1;       // exit code; -1 when a signal ended it
    bool killed = false; // by SIGKILL
    std::string out;
    std::string err;

    /// Standard output as JSON; a discarded value (is_discarded()) when it is none.
    nlohmann::json json() const { return nlohmann::json::parse(out, nullptr, false); }
};

/// A run of the program under test, started without a shell. It sees an empty home folder, so that
/// nothing of the person who runs the tests is found or changed, and is killed at the latest when
/// the object goes.
class Program
{
public:
    using Environment = std::map<std::string, std::string>;
    using Patience = std::chrono::milliseconds;

    /// Throws std::runtime_error when it cannot be started. `input` is its whole standard input, at
    /// most 64 KiB.
    explicit Program(const std::vector<std::string>& arguments, const Environment& environment = {},
                     const std::string& input = {});
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// Reads until `lines` whole lines of standard error are there or both outputs have ended.
    /// Returns whether they are there. Throws std::runtime_error when the program's time is over.
    bool waitForErrorLines(std::size_t lines);
    /// Goes on reading for this long, or until the next whole line of standard error or the end of
    /// the outputs.
    void readFor(std::chrono::microseconds time);
    std::vector<std::string> errorLines() const;

    void kill();
    /// Reads to the end and waits for the exit. Throws std::runtime_error when the program's time
    /// is over.
    Finished finish();

private:
    /// False when the time is over; at the end of both outputs true.
    bool readSome(std::chrono::microseconds time);
    bool ended() const { return m_out < 0 && m_err < 0; }
    void takeFrom(int& pipe, std::string& text);

    using Clock = std::chrono::steady_clock;
    pid_t m_child = -1;
    int m_out = -1;
    int m_err = -1;
    Clock::time_point m_deadline;
    Finished m_result;
};

/// Runs the program to its end.
Finished run(const std::vector<std::string>& arguments,
             const Program::Environment& environment = {}, const std::string& input = {});

} // namespace tests
