#include "tests/app/library/scenario.h"

#include "engine/error.h"
#include "tests/app/library/sample_document.h"

#include <map>
#include <set>
#include <string>

namespace tests {
namespace {

using app::Library;
using app::RecordId;

constexpr std::size_t kCheckpointBytes = 40'000;
constexpr std::size_t kSegmentBytes = 70'000;

std::uint32_t seedOf(RecordId context, std::size_t index, bool segment)
{
    return static_cast<std::uint32_t>(context) * 100U + static_cast<std::uint32_t>(index) +
           (segment ? 50U : 0U);
}

void require(bool good, const char* what)
{
    if (!good)
        throw engine::Error(engine::ErrorCode::Damaged, what);
}

void prepare(Library& library, RecordId document, const Acknowledge& acknowledge)
{
    const app::ContextRecord record = sampleContext(document);
    const RecordId id = library.beginContext(record);
    acknowledge({Step::ContextBegun, id, document});
    for (std::size_t i = 0; i < 3; ++i) {
        library.appendCheckpoint(id, i, sampleBytes(kCheckpointBytes, seedOf(id, i, false)));
        acknowledge({Step::CheckpointWritten, id, static_cast<std::int64_t>(i) + 1});
    }
    for (std::size_t i = 0; i < 2; ++i) {
        library.writeSegment(id, i, sampleBytes(kSegmentBytes, seedOf(id, i, true)));
        acknowledge({Step::SegmentWritten, id, static_cast<std::int64_t>(i) + 1});
    }
    library.putContextBlob(id, "state", sampleBytes(1000, seedOf(id, 9, true)));
    library.finishContext(id, record);
    acknowledge({Step::ContextReady, id, 0});
}

void talk(Library& library, RecordId document, const Acknowledge& acknowledge)
{
    app::MessageRecord message;
    message.conversationId = library.startConversation(document, 0);
    message.text = "question";
    message.parentId = library.appendMessage(message);
    acknowledge({Step::MessageWritten, message.parentId, 8});
    message.role = app::MessageRole::Assistant;
    message.status = app::MessageStatus::Partial;
    message.text.clear();
    message.id = library.appendMessage(message);
    for (int i = 1; i <= 3; ++i) {
        message.text.append(20, 'a');
        library.updateMessageText(message.id, message.text);
        acknowledge({Step::MessageWritten, message.id, 20 * i});
    }
    message.status = app::MessageStatus::Complete;
    message.citations = {{0, "iv", "quote", {0, 3}}};
    message.text.append(20, 'a');
    library.finishMessage(message);
    acknowledge({Step::MessageWritten, message.id, 80});
}

void work(Library& library, RecordId document, const Acknowledge& acknowledge)
{
    app::JobRecord job;
    job.kind = "prepare";
    job.documentId = document;
    job.state = app::JobState::Running;
    job.id = library.enqueueJob(job);
    acknowledge({Step::JobWritten, job.id, 0});
    job.progress = 0.5;
    library.updateJob(job);
    acknowledge({Step::JobWritten, job.id, 50});
}

/// The last word of the events about every record.
struct Expectation
{
    std::set<RecordId> documents;
    std::set<RecordId> doomed;
    std::set<RecordId> removed;
    std::map<RecordId, RecordId> contextDocuments;
    std::map<RecordId, std::size_t> checkpoints;
    std::map<RecordId, std::size_t> segments;
    std::set<RecordId> ready;
    std::map<RecordId, std::size_t> messages;
    std::map<RecordId, std::int64_t> jobs;
};

Expectation summarise(const std::vector<Event>& events)
{
    Expectation expected;
    for (const Event& event : events) {
        const auto count = static_cast<std::size_t>(event.value);
        switch (event.step) {
        case Step::DocumentAdded:
            expected.documents.insert(event.id);
            break;
        case Step::DocumentDoomed:
            expected.documents.erase(event.id);
            expected.doomed.insert(event.id);
            // Messages and jobs of the round before belong to it.
            expected.messages.clear();
            expected.jobs.clear();
            break;
        case Step::DocumentRemoved:
            expected.removed.insert(event.id);
            break;
        case Step::ContextBegun:
            expected.contextDocuments[event.id] = event.value;
            break;
        case Step::CheckpointWritten:
            expected.checkpoints[event.id] = count;
            break;
        case Step::SegmentWritten:
            expected.segments[event.id] = count;
            break;
        case Step::ContextReady:
            expected.ready.insert(event.id);
            break;
        case Step::MessageWritten:
            expected.messages[event.id] = count;
            break;
        case Step::JobWritten:
            expected.jobs[event.id] = event.value;
            break;
        }
    }
    return expected;
}

void checkContext(Library& library, const Expectation& expected, RecordId id)
{
    const app::ContextRecord record = library.context(id);
    require(library.verifyContext(id).empty(), "a context is damaged");
    require(!expected.ready.contains(id) || record.state == app::ContextState::Ready,
            "a context is not ready any more");
    require(record.state != app::ContextState::Ready || record.segments == 2,
            "a ready context lacks segments");
    if (const auto found = expected.segments.find(id); found != expected.segments.end())
        for (std::size_t i = 0; i < found->second; ++i)
            require(library.readSegment(id, i) == sampleBytes(kSegmentBytes, seedOf(id, i, true)),
                    "a segment has other bytes");
    const auto found = expected.checkpoints.find(id);
    if (record.state == app::ContextState::Ready || found == expected.checkpoints.end())
        return;
    std::size_t seen = 0;
    library.checkpoints(id, [&](std::size_t index, std::span<const std::byte> bytes) {
        const auto written = sampleBytes(kCheckpointBytes, seedOf(id, index, false));
        require(std::equal(bytes.begin(), bytes.end(), written.begin(), written.end()),
                "a checkpoint has other bytes");
        ++seen;
        return true;
    });
    require(seen >= found->second, "a checkpoint is lost");
}

void checkMessages(Library& library, const Expectation& expected)
{
    std::map<RecordId, std::string> texts;
    for (const auto& conversation : library.conversations())
        for (const auto& message : library.messages(conversation.id))
            texts[message.id] = message.text;
    for (const auto& [id, bytes] : expected.messages) {
        require(texts.contains(id), "a message is lost");
        require(texts[id].size() >= bytes, "the text of a message is lost");
    }
}

} // namespace

RecordId workOneRound(Library& library, int round, RecordId before, const Acknowledge& acknowledge)
{
    const std::string mark = "round" + std::to_string(round);
    const RecordId document = library.addDocument(sampleDocument(mark, 70), mark).id;
    acknowledge({Step::DocumentAdded, document, 0});
    prepare(library, document, acknowledge);
    if (before != 0) {
        acknowledge({Step::DocumentDoomed, before, 0});
        library.removeDocument(before);
        acknowledge({Step::DocumentRemoved, before, 0});
    }
    talk(library, document, acknowledge);
    work(library, document, acknowledge);
    return document;
}

void checkAcknowledged(Library& library, const std::vector<Event>& events)
{
    readEverything(library);
    const Expectation expected = summarise(events);
    for (const RecordId id : expected.documents)
        require(library.kindOf(id) == app::RecordKind::Document, "a document is lost");
    for (const RecordId id : expected.removed)
        require(library.kindOf(id) == app::RecordKind::None, "a removed document is back");
    for (const auto& [id, document] : expected.contextDocuments)
        if (!expected.doomed.contains(document))
            checkContext(library, expected, id);
    checkMessages(library, expected);
    std::map<RecordId, double> progress;
    for (const app::JobRecord& job : library.jobs())
        progress[job.id] = job.progress;
    for (const auto& [id, percent] : expected.jobs)
        require(progress.contains(id) && progress[id] * 100 >= static_cast<double>(percent),
                "a job is lost");
}

} // namespace tests
