#include "engine/error.h"
#include "tests/app/library/sample_document.h"
#include "tests/app/library/scenario.h"
#include "tests/app/store/temporary_folder.h"

#include <cstdio>
#include <doctest/doctest.h>
#include <random>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

using app::Library;
using app::RecordId;
using tests::Event;

namespace {

/// Works on the library until it is killed; every acknowledgement goes into the pipe.
[[noreturn]] void workUntilKilled(const std::filesystem::path& folder, int firstRound, int pipe)
{
    try {
        const auto library = Library::open(folder);
        const auto documents = library->documents();
        RecordId before = documents.empty() ? 0 : documents.front().id;
        for (int round = firstRound; round < firstRound + 1000; ++round)
            before = tests::workOneRound(*library, round, before, [&](const Event& event) {
                if (::write(pipe, &event, sizeof event) != sizeof event)
                    ::_exit(2);
            });
    } catch (const engine::Error& error) {
        std::fprintf(stderr, "%s (%s)\n", error.what(), error.detail().c_str());
        ::_exit(3);
    }
    ::_exit(4);
}

} // namespace

TEST_CASE("after kill -9 at any moment everything acknowledged is there and nothing is torn")
{
    constexpr int kKills = 50;
    const tests::TemporaryFolder folder;
    std::mt19937 random(11);
    std::vector<Event> events;
    std::size_t killedInTheMiddle = 0;
    for (int kill = 0; kill < kKills; ++kill) {
        CAPTURE(kill);
        int ends[2] = {};
        REQUIRE(::pipe(ends) == 0);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::close(ends[0]);
            workUntilKilled(folder.path(), 1000 * kill, ends[1]);
        }
        ::close(ends[1]);
        // A moment that depends on the work done, not on the speed of the machine: after a few
        // acknowledgements, and then somewhere within the next operation.
        const std::size_t wanted = events.size() + random() % 25;
        Event event;
        while (events.size() < wanted && ::read(ends[0], &event, sizeof event) == sizeof event)
            events.push_back(event);
        for (auto calls = random() % 30'000; calls > 0; --calls)
            ::getppid();
        ::kill(child, SIGKILL);
        while (::read(ends[0], &event, sizeof event) == sizeof event)
            events.push_back(event);
        ::close(ends[0]);
        int status = 0;
        ::waitpid(child, &status, 0);
        REQUIRE(WIFSIGNALED(status)); // it was working, not failing

        if (std::filesystem::exists(folder.path() / "library.db-wal") &&
            std::filesystem::file_size(folder.path() / "library.db-wal") > 0)
            ++killedInTheMiddle;
        const auto library = Library::open(folder.path());
        CHECK_FALSE(library->readOnly());
        REQUIRE_NOTHROW(tests::checkAcknowledged(*library, events));
        CHECK(library->unfinishedJobs().size() <= library->documents().size());
    }
    CHECK(events.size() > 200);
    CHECK(killedInTheMiddle > kKills / 4);
    MESSAGE(events.size() << " acknowledgements, " << killedInTheMiddle << " of " << kKills
                          << " kills left an unfinished log");
}
