#include "tests/app/cli/program.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace tests {
namespace {

using namespace std::chrono_literals;

/// The slowest run takes seconds; with sanitizers on a loaded machine it takes minutes.
constexpr auto kPatience = 300s;
constexpr const char* kProgram = BINARY_DIR "/epitome";

struct Pipe
{
    int read = -1;
    int write = -1;
};

Pipe makePipe()
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        throw std::runtime_error("no pipe");
    return {ends[0], ends[1]};
}

std::vector<std::string> environmentWith(const Program::Environment& changes)
{
    Program::Environment all{{"HOME", "/nonexistent"}, {"QT_QPA_PLATFORM", "offscreen"}};
    for (char** each = environ; *each != nullptr; ++each) {
        const std::string text = *each;
        all.emplace(text.substr(0, text.find('=')), text.substr(text.find('=') + 1));
    }
    for (const char* name :
         {"XDG_DATA_HOME", "HF_HOME", "HF_HUB_CACHE", "OLLAMA_MODELS", "LLAMA_CACHE"})
        all.erase(name);
    for (const auto& [name, value] : changes)
        all[name] = value;
    std::vector<std::string> lines;
    for (const auto& [name, value] : all)
        lines.push_back(name + "=" + value);
    return lines;
}

std::vector<char*> pointers(std::vector<std::string>& texts)
{
    std::vector<char*> result;
    for (std::string& text : texts)
        result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

} // namespace

Program::Program(const std::vector<std::string>& arguments, const Environment& environment,
                 const std::string& input)
    : m_deadline(Clock::now() + kPatience)
{
    const Pipe in = makePipe();
    const Pipe out = makePipe();
    const Pipe err = makePipe();
    std::vector<std::string> argumentTexts{kProgram};
    argumentTexts.insert(argumentTexts.end(), arguments.begin(), arguments.end());
    std::vector<std::string> environmentTexts = environmentWith(environment);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.read, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out.write, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err.write, STDERR_FILENO);
    const int failure =
        ::posix_spawn(&m_child, kProgram, &actions, nullptr, pointers(argumentTexts).data(),
                      pointers(environmentTexts).data());
    posix_spawn_file_actions_destroy(&actions);
    // The pipe holds all of the input, so writing cannot block.
    const bool fed =
        ::write(in.write, input.data(), input.size()) == static_cast<ssize_t>(input.size());
    for (const int end : {in.read, in.write, out.write, err.write})
        ::close(end);
    m_out = out.read;
    m_err = err.read;
    if (failure != 0 || !fed) {
        m_child = failure != 0 ? -1 : m_child;
        throw std::runtime_error(std::string("cannot start ") + kProgram);
    }
}

Program::~Program()
{
    if (m_child > 0) {
        ::kill(m_child, SIGKILL);
        ::waitpid(m_child, nullptr, 0);
    }
    for (const int end : {m_out, m_err}) {
        if (end >= 0)
            ::close(end);
    }
}

void Program::takeFrom(int& pipe, std::string& text)
{
    std::array<char, 65536> buffer{};
    const ssize_t count = ::read(pipe, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR)
        return;
    if (count <= 0) {
        ::close(pipe);
        pipe = -1;
        return;
    }
    text.append(buffer.data(), static_cast<std::size_t>(count));
}

bool Program::readSome(std::chrono::microseconds time)
{
    if (ended())
        return true;
    std::array<pollfd, 2> waits{pollfd{m_out, POLLIN, 0}, pollfd{m_err, POLLIN, 0}};
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(time);
    const timespec timeout{whole.count(), std::chrono::nanoseconds(time - whole).count()};
    const int ready = ::ppoll(waits.data(), waits.size(), &timeout, nullptr);
    if (ready <= 0)
        return ready < 0 && errno == EINTR;
    if (waits[0].revents != 0)
        takeFrom(m_out, m_result.out);
    if (waits[1].revents != 0)
        takeFrom(m_err, m_result.err);
    return true;
}

bool Program::waitForErrorLines(std::size_t lines)
{
    while (errorLines().size() < lines && !ended()) {
        const auto left = m_deadline - Clock::now();
        if (left <= 0s || !readSome(std::chrono::duration_cast<std::chrono::microseconds>(left)))
            throw std::runtime_error("the program takes too long");
    }
    return errorLines().size() >= lines;
}

void Program::readFor(std::chrono::microseconds time)
{
    const auto end = Clock::now() + time;
    const std::size_t before = errorLines().size();
    while (errorLines().size() == before && !ended()) {
        const auto left = end - Clock::now();
        if (left <= 0s || !readSome(std::chrono::duration_cast<std::chrono::microseconds>(left)))
            return;
    }
}

std::vector<std::string> Program::errorLines() const
{
    std::vector<std::string> lines;
    std::size_t begin = 0;
    for (std::size_t end = m_result.err.find('\n'); end != std::string::npos;
         end = m_result.err.find('\n', begin)) {
        lines.push_back(m_result.err.substr(begin, end - begin));
        begin = end + 1;
    }
    return lines;
}

void Program::kill()
{
    ::kill(m_child, SIGKILL);
}

Finished Program::finish()
{
    while (!ended()) {
        const auto left = m_deadline - Clock::now();
        if (left <= 0s || !readSome(std::chrono::duration_cast<std::chrono::microseconds>(left)))
            throw std::runtime_error("the program takes too long");
    }
    int status = 0;
    ::waitpid(m_child, &status, 0);
    m_child = -1;
    m_result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    m_result.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return m_result;
}

Finished run(const std::vector<std::string>& arguments, const Program::Environment& environment,
             const std::string& input)
{
    return Program(arguments, environment, input).finish();
}

} // namespace tests
