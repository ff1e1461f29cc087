#include "app/library/library.h"
#include "engine/error.h"
#include "tests/app/library/sample_document.h"
#include "tests/app/store/temporary_folder.h"

#include <doctest/doctest.h>

using app::JobRecord;
using app::JobState;
using app::Library;

TEST_CASE("a job that was running waits again in the next run")
{
    const tests::TemporaryFolder folder;
    auto library = Library::open(folder.path());
    JobRecord job;
    job.kind = "prepare";
    job.documentId = library->addDocument(tests::sampleDocument("alpha"), "a.pdf").id;
    job.parameters = R"({"method":"kvzip"})";
    job.id = library->enqueueJob(job);
    JobRecord failed;
    failed.kind = "import";
    failed.id = library->enqueueJob(failed);
    failed.state = JobState::Failed;
    failed.error = "The file is empty.";
    library->updateJob(failed);
    job.state = JobState::Running;
    job.contextId = 77;
    job.progress = 0.625;
    job.progressText = "20,000 of 32,000 tokens";
    library->updateJob(job);
    CHECK(library->unfinishedJobs().front().state == JobState::Running);

    library.reset();
    library = Library::open(folder.path());
    REQUIRE(library->jobs().size() == 2);
    REQUIRE(library->unfinishedJobs().size() == 1);
    const JobRecord found = library->unfinishedJobs().front();
    CHECK(found.id == job.id);
    CHECK(found.kind == "prepare");
    CHECK(found.documentId == job.documentId);
    CHECK(found.contextId == 77);
    CHECK(found.parameters == job.parameters);
    CHECK(found.state == JobState::Waiting);
    CHECK(found.progress == 0.625);
    CHECK(found.progressText == job.progressText);
    CHECK(library->jobs()[1].state == JobState::Failed);
    CHECK(library->jobs()[1].error == failed.error);

    library->removeJob(failed.id);
    CHECK(library->jobs().size() == 1);
    CHECK_THROWS_AS(library->updateJob(failed), engine::Error);
    CHECK_THROWS_AS(library->removeJob(failed.id), engine::Error);
    job.documentId = 4711;
    CHECK_THROWS_AS(library->updateJob(job), engine::Error);
}

TEST_CASE("settings")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    CHECK_FALSE(library->setting("model").has_value());
    library->setSetting("model", "a");
    library->setSetting("model", "b");
    library->setSetting("empty", "");
    CHECK(library->setting("model") == "b");
    CHECK(library->setting("empty") == "");
}
