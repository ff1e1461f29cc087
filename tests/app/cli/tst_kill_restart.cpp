// Preparing is killed again and again; what a later process answers is what it would have answered
// anyway.

#include "tests/app/cli/sample_library.h"
#include "tests/app/store/temporary_folder.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>

namespace {

/// Continues quotations without a mistake, after kvzip's two readings.
const std::string kReader = BINARY_DIR "/resources/constructed-reader.gguf";

using app::RecordId;
using nlohmann::json;
using tests::Finished;
using tests::Program;
using tests::SampleLibrary;

constexpr int kKills = 25;
constexpr std::size_t kWords = 2200;
constexpr std::string_view kLastPhase = "Packing";

/// The passage in the middle of the text that is asked for, and what stands behind it.
struct Passage
{
    std::string question;
    std::string continuation;
};

Passage passageIn(const std::string& text)
{
    const std::size_t begin = text.find(". ", text.size() / 2) + 2;
    const std::size_t cut = text.find(" letter ", begin);
    const std::size_t end = text.find('.', cut) + 1;
    return {text.substr(begin, cut - begin), text.substr(cut + 1, end - cut - 1)};
}

/// A library with the long document, and a small one that was talked about before anything was
/// killed.
struct Shelf
{
    SampleLibrary library;
    RecordId document = 0;
    RecordId conversation = 0;

    Shelf(const std::filesystem::path& folder, const std::filesystem::path& longFile,
          const std::filesystem::path& shortFile)
        : library(folder)
    {
        const RecordId small = library.import(shortFile);
        library.prepare(small, {"--method", "streaming-llm"});
        conversation = library.result({"ask", std::to_string(small), "The harbour master of house"})
                           .at("conversation");
        document = library.import(longFile);
    }

    json ask(const std::string& question) const
    {
        return library.result({"ask", std::to_string(document), question, "--temperature", "0",
                               "--max-tokens", "40"});
    }
    json shownConversation() const
    {
        return library.result({"show", std::to_string(conversation)});
    }
};

/// Keys and values of a context, without the header, which holds times.
std::vector<std::vector<std::byte>> payload(const SampleLibrary& library, RecordId context)
{
    const auto open = app::Library::open(library.folder(), app::OpenMode::ReadOnly);
    std::vector<std::vector<std::byte>> segments;
    for (std::size_t i = 1; i < open->segmentCount(context); ++i)
        segments.push_back(open->readSegment(context, i));
    return segments;
}

/// The preparation of a document in processes that are killed.
class Attempts
{
public:
    Attempts(const Shelf& shelf, std::size_t blocks, std::chrono::microseconds timeOfBlock)
        : m_shelf(shelf)
        , m_blocks(blocks)
        , m_timeOfBlock(timeOfBlock)
    {}

    /// Spreads `kills` over all blocks but the last two, whatever the machine's speed.
    void killAtRandomMoments(int kills)
    {
        std::mt19937 random(25);
        const auto share = [&] { return static_cast<double>(random()) / 0x1p32; };
        for (int kill = 0; kill < kills; ++kill) {
            CAPTURE(kill);
            const std::size_t left = m_blocks - 2 - std::min(m_blocks - 2, stored());
            const double even = static_cast<double>(left) / (kills - kill);
            const auto blocks = static_cast<std::size_t>(2 * even * share());
            killOnce(std::min(blocks, left), random() % 8 == 0, 0.4 * share());
        }
    }

    /// Starts it and kills it when every block is done and what is kept is being written. False
    /// when it was faster.
    bool killWhileWriting()
    {
        Program program(command());
        for (std::size_t lines = 1; program.waitForErrorLines(lines); ++lines) {
            if (program.errorLines().back().starts_with(kLastPhase))
                break;
        }
        program.kill();
        const Finished finished = program.finish();
        check(program.errorLines());
        return finished.killed;
    }

    Finished runToTheEnd()
    {
        Program program(command());
        const Finished finished = program.finish();
        check(program.errorLines());
        return finished;
    }

    std::size_t stored() const
    {
        const auto open = app::Library::open(m_shelf.library.folder());
        const auto contexts = open->contexts(m_shelf.document);
        return contexts.empty() ? 0 : open->checkpointCount(contexts.front().id);
    }
    /// Blocks that the killed processes had reported as done.
    std::size_t reported() const { return m_reported; }
    std::size_t resumedRuns() const { return m_resumedRuns; }

private:
    /// Starts it, and kills it within the block that follows the next `blocks` ones, or before its
    /// first report (`early`).
    void killOnce(std::size_t blocks, bool early, double partOfBlock)
    {
        Program program(command());
        const std::chrono::microseconds pause(
            static_cast<std::int64_t>(partOfBlock * static_cast<double>(m_timeOfBlock.count())));
        if (!early)
            REQUIRE(program.waitForErrorLines(1 + blocks));
        program.readFor(pause);
        program.kill();
        const Finished finished = program.finish();
        REQUIRE_MESSAGE(finished.killed, finished.err);
        check(program.errorLines());
    }

    std::vector<std::string> command() const
    {
        return m_shelf.library.command(
            {"prepare", std::to_string(m_shelf.document), "--model", kReader});
    }

    /// A process reports its start, then every block. A start must stand where the stored blocks
    /// end.
    void check(const std::vector<std::string>& lines)
    {
        if (lines.empty())
            return;
        INFO(lines.front());
        CHECK(lines.front().starts_with("Reading: 0 of") == (m_before == 0));
        m_resumedRuns += m_before > 0 ? 1 : 0;
        m_reported += lines.size() - 1;
        CHECK(m_reported <= m_blocks); // none of them is ever done again
        if (lines.back().starts_with(kLastPhase))
            return;
        const std::size_t now = stored();
        CHECK(now >= m_before + lines.size() - 1); // what was reported is stored
        m_before = now;
    }

    const Shelf& m_shelf;
    std::size_t m_blocks;
    std::chrono::microseconds m_timeOfBlock;
    std::size_t m_before = 0; // stored blocks after the last process
    std::size_t m_reported = 0;
    std::size_t m_resumedRuns = 0;
};

} // namespace

TEST_CASE("killed at 25 random moments, a preparation gives the answer it would have given")
{
    const tests::TemporaryFolder folder;
    const std::string text = tests::makeSampleText(kWords, 1);
    const Passage passage = passageIn(text);
    tests::writeFile(folder.path() / "long.txt", text);
    tests::writeFile(folder.path() / "short.txt", tests::makeSampleText(100, 2));

    const Shelf whole(folder.path() / "whole", folder.path() / "long.txt",
                      folder.path() / "short.txt");
    const auto start = std::chrono::steady_clock::now();
    Program reference(
        whole.library.command({"prepare", std::to_string(whole.document), "--model", kReader}));
    REQUIRE(reference.finish().code == 0);
    const auto time = std::chrono::steady_clock::now() - start;
    const std::size_t blocks = reference.errorLines().size() - 1;
    const json expected = whole.ask(passage.question);
    CHECK(expected.at("answer").get<std::string>().starts_with(passage.continuation));

    const Shelf shelf(folder.path() / "killed", folder.path() / "long.txt",
                      folder.path() / "short.txt");
    const json documents = shelf.library.result({"documents"});
    const json conversation = shelf.shownConversation();
    Attempts attempts(shelf, blocks,
                      std::chrono::duration_cast<std::chrono::microseconds>(time / blocks));
    attempts.killAtRandomMoments(kKills);
    const std::size_t beforeTheEnd = attempts.stored();
    CHECK(beforeTheEnd > blocks / 2);
    CHECK(attempts.resumedRuns() > kKills / 2);
    if (attempts.killWhileWriting())
        REQUIRE(attempts.runToTheEnd().code == 0);

    const json contexts =
        shelf.library.result({"contexts", "--document", std::to_string(shelf.document)})
            .at("contexts");
    REQUIRE(contexts.size() == 1); // every process went on with the same one
    CHECK(contexts[0].at("state") == "ready");
    const json answer = shelf.ask(passage.question);
    CHECK(answer.at("answer") == expected.at("answer"));
    CHECK(answer.at("citations") == expected.at("citations"));
    CHECK(answer.at("tokens_in_context") == expected.at("tokens_in_context"));
    CHECK(answer.at("tokens_reread") == 0);
    const json wholeContexts =
        whole.library.result({"contexts", "--document", std::to_string(whole.document)});
    CHECK(payload(shelf.library, contexts[0].at("context")) ==
          payload(whole.library, wholeContexts.at("contexts").at(0).at("context")));

    const json verified = shelf.library.result({"verify"});
    for (const json& each : verified.at("contexts"))
        CHECK(each.at("good") == true);
    CHECK(shelf.library.result({"documents"}) == documents);
    CHECK(shelf.shownConversation() == conversation);
    MESSAGE(kKills << " kills in " << blocks << " blocks, " << attempts.resumedRuns()
                   << " processes went on from stored blocks; preparing at once "
                   << std::chrono::duration<double>(time).count() << " s, first token afterwards "
                   << answer.at("first_token_seconds").get<double>() << " s");
}
