#include "app/documents/document_reader.h"
#include "app/documents/import_worker.h"
#include "engine/error.h"
#include "tests/app/documents/test_files.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

using engine::Error;
using engine::ErrorCode;

namespace {

app::ImportedDocument import(const std::filesystem::path& file,
                             const app::WorkerLimits& limits = {})
{
    return app::importInWorker(FAKE_WORKER, file, {}, {}, limits);
}

std::pair<ErrorCode, std::string> refusal(const std::filesystem::path& file,
                                          const app::WorkerLimits& limits = {})
{
    try {
        import(file, limits);
    } catch (const Error& error) {
        return {error.code(), error.what()};
    }
    FAIL("imported");
    return {};
}

bool has(const std::vector<std::string>& sentences, const std::string& sentence)
{
    return std::ranges::find(sentences, sentence) != sentences.end();
}

} // namespace

TEST_CASE("the worker process reads exactly what the reader reads in this process")
{
    const tests::TemporaryFolder folder;
    const auto pdf = folder.write(
        "two pages.pdf",
        tests::makePdf({{.texts = {{40, 350, "Some words of hy-"}, {40, 338, "phenated text."}}},
                        {.texts = {{40, 350, "The second page \\(last\\)."}}}}));
    const auto book = folder.path() / "book.epub";
    tests::writeArchive(book,
                        tests::bookWith({"<p>First.</p>", "<h1>Two</h1><p>Second “part”.</p>"}));
    const auto markdown = folder.write("notes.md", "# Title\n\nText with \xe4 latin letter.\n");
    for (const auto& file : {pdf, book, markdown}) {
        CAPTURE(file.string());
        CHECK(import(file) == app::readDocument(file));
    }
}

TEST_CASE("progress counts pages up to the total")
{
    const tests::TemporaryFolder folder;
    const auto pdf = folder.write("three.pdf", tests::makePdf({{}, {}, {}}));
    std::vector<std::size_t> counts;
    std::size_t total = 0;
    app::importInWorker(FAKE_WORKER, pdf,
                        [&](const app::ImportProgress& progress) {
                            counts.push_back(progress.pagesRead);
                            total = progress.pagesTotal;
                        },
                        {});
    CHECK(counts == std::vector<std::size_t>{0, 1, 2, 3});
    CHECK(total == 3);
}

TEST_CASE("a refusal of the reader arrives with its code and its sentence")
{
    const tests::TemporaryFolder folder;
    const auto [code, sentence] = refusal(folder.write("broken.pdf", "%PDF-1.4 and nothing else"));
    CHECK(code == ErrorCode::Damaged);
    CHECK(sentence.find("“broken.pdf”") != std::string::npos);
    CHECK(refusal(folder.path() / "absent.pdf").first == ErrorCode::NotFound);
}

TEST_CASE("a reader that dies is a sentence with the page")
{
    const tests::TemporaryFolder folder;
    const auto [code, sentence] = refusal(folder.write("bad.txt", "play crash\n"));
    CHECK(code == ErrorCode::Damaged);
    CHECK(sentence.find(
              "“bad.txt” could not be read: the reader stopped unexpectedly on page 12.") == 0);
    CHECK(refusal(folder.write("silent.txt", "play silence\n")).second.find("on page 1.") !=
          std::string::npos);
}

TEST_CASE("a reader that hangs is ended and named")
{
    const tests::TemporaryFolder folder;
    const auto file = folder.write("slow.txt", "play hang\n");
    const auto [code, sentence] = refusal(file, {.patience = std::chrono::milliseconds(200)});
    CHECK(code == ErrorCode::TooLarge);
    CHECK(sentence.find("made no progress on page ") != std::string::npos);
}

TEST_CASE("cancelling ends an import that waits for its reader")
{
    const tests::TemporaryFolder folder;
    const auto file = folder.write("slow.txt", "play hang\n");
    std::stop_source stop;
    ErrorCode code = ErrorCode::Internal;
    try {
        app::importInWorker(
            FAKE_WORKER, file,
            [&](const app::ImportProgress& progress) {
                if (progress.pagesRead == 2)
                    stop.request_stop();
            },
            stop.get_token());
    } catch (const Error& error) {
        code = error.code();
    }
    CHECK(code == ErrorCode::Cancelled);
}

TEST_CASE("messages of a taken-over reader are refused, not believed")
{
    const tests::TemporaryFolder folder;
    for (const char* role : {"play noise", "play depth", "play overlap", "play endless line"}) {
        CAPTURE(role);
        const auto [code, sentence] = refusal(folder.write("evil.txt", std::string(role) + "\n"));
        CHECK((code == ErrorCode::Damaged || code == ErrorCode::TooLarge));
        CHECK(sentence.find("“evil.txt”") != std::string::npos);
    }
}

TEST_CASE("the worker can read its document and nothing of the user's")
{
    const tests::TemporaryFolder folder;
    const auto file = folder.write("escape.txt", "play escape\n");
    const std::vector<std::string> found = import(file).warnings;
    CHECK(has(found, "document read"));
    if (has(found, "files locked")) {
        CHECK(has(found, "passwd refused"));
        CHECK(has(found, "write refused"));
        CHECK_FALSE(std::filesystem::exists(file.string() + ".out"));
    } else {
        MESSAGE(
            "SKIPPED: this kernel has no Landlock, so the worker's view of files is not limited");
    }
    if (has(found, "system locked"))
        CHECK(has(found, "socket refused"));
    else
        MESSAGE("SKIPPED: this kernel has no seccomp filter, so the worker could open sockets");
}

TEST_CASE("damaged PDFs come out of the worker as a document or a sentence")
{
    const tests::TemporaryFolder folder;
    const std::string good = tests::makePdf(
        {{.texts = {{40, 350, "Some words here"}}}, {.drawing = "0.5 g 10 10 50 50 re f"}, {}});
    std::mt19937 random(7);
    for (int round = 0; round < 40; ++round) {
        std::string bad = good;
        for (int change = 0; change <= round / 4; ++change)
            bad[random() % bad.size()] = static_cast<char>(random());
        try {
            import(folder.write("bad.pdf", bad));
        } catch (const Error& error) {
            CHECK(std::string(error.what()).find("“bad.pdf”") != std::string::npos);
        }
    }
}

TEST_CASE("a program that cannot be started is a sentence")
{
    const tests::TemporaryFolder folder;
    const auto file = folder.write("a.txt", "text");
    CHECK_THROWS_AS(app::importInWorker(folder.path() / "no program", file, {}, {}), Error);
}
