// Model files that cannot be used: refused by name with the way out, and nothing of the library is
// touched.

#include "tests/app/cli/refusal.h"
#include "tests/app/cli/sample_library.h"
#include "tests/app/documents/test_files.h"

#include <cstring>
#include <doctest/doctest.h>
#include <fstream>
#include <iterator>

namespace {

using app::RecordId;
using tests::checkRefusal;
using tests::SampleLibrary;
using tests::TemporaryFolder;

/// The constructed reader's file, to be spoiled.
class SpoiltReader
{
public:
    SpoiltReader()
    {
        std::ifstream stream(BINARY_DIR "/resources/constructed-reader.gguf", std::ios::binary);
        m_bytes.assign(std::istreambuf_iterator<char>(stream), {});
        REQUIRE_FALSE(m_bytes.empty());
    }

    const std::string& bytes() const { return m_bytes; }
    std::string cutTo(std::size_t count) const { return m_bytes.substr(0, count); }

    /// Replaces the first place by a text of the same length.
    SpoiltReader& replace(const std::string& text, const std::string& by)
    {
        const std::size_t at = m_bytes.find(text);
        REQUIRE(at != std::string::npos);
        REQUIRE(text.size() == by.size());
        m_bytes.replace(at, by.size(), by);
        return *this;
    }
    /// Writes a value at `offset` behind the first place of `name`.
    template <typename T>
    SpoiltReader& put(const std::string& name, std::size_t offset, T value)
    {
        const std::size_t at = m_bytes.find(name);
        REQUIRE(at != std::string::npos);
        std::memcpy(m_bytes.data() + at + name.size() + offset, &value, sizeof(value));
        return *this;
    }
    /// Inverts a byte of every kilobyte behind the first megabyte: other weights of the same shape.
    SpoiltReader& changeWeights()
    {
        for (std::size_t at = 1 << 20; at < m_bytes.size(); at += 1 << 10)
            m_bytes[at] = static_cast<char>(m_bytes[at] ^ 1);
        return *this;
    }

private:
    std::string m_bytes;
};

constexpr std::size_t kNumber = 4;         // a metadata value stands behind its type
constexpr std::size_t kSecondSize = 4 + 8; // of a tensor, behind count and first size
constexpr std::size_t kTensorType = kSecondSize + 8;
constexpr const char* kTensor = "blk.0.attn_q.weight";

struct Fixture
{
    TemporaryFolder folder;
    SampleLibrary library{folder.path() / "library"};
    RecordId document = library.import(folder.write("text.txt", tests::makeSampleText(60, 3)));

    /// Tries the file as the model of a preparation.
    void checkRefused(const std::string& bytes, const std::vector<std::string>& parts) const
    {
        const auto file = folder.write("spoilt.gguf", bytes);
        std::vector<std::string> all{"spoilt.gguf"};
        all.insert(all.end(), parts.begin(), parts.end());
        checkRefusal(library.run({"prepare", std::to_string(document), "--model", file.string()}),
                     1, all);
        CHECK(library.result({"contexts"}).at("contexts").empty());
    }
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "a file that is no whole GGUF file is refused")
{
    const SpoiltReader reader;
    checkRefused("Once upon a time there was a file.", {"not a GGUF", "Choose a file"});
    checkRefused(std::string(), {"empty", "Download or copy the file again"});
    checkRefused(reader.cutTo(300), {"damaged", "Download or copy the file again"});
    checkRefused(reader.cutTo(reader.bytes().size() - 100'000), {"not complete", "Download"});
    checkRefusal(library.run({"prepare", std::to_string(document), "--model",
                              (folder.path() / "gone.gguf").string()}),
                 1, {"gone.gguf", "not there", "Choose the model again"});
    checkRefusal(
        library.run({"prepare", std::to_string(document), "--model", folder.path().string()}), 1,
        {folder.path().filename().string()});
}

TEST_CASE_FIXTURE(Fixture,
                  "a GGUF file that no reader is made for is refused with what is wrong in it")
{
    const auto spoilt = [] { return SpoiltReader(); };
    checkRefused(spoilt().replace("llama", "zebra").bytes(), {"zebra", "llama", "qwen2"});
    checkRefused(spoilt().put(kTensor, kTensorType, 99U).bytes(), {"99", kTensor});
    checkRefused(spoilt().put(kTensor, kSecondSize, std::uint64_t{256}).bytes(), {kTensor});
    checkRefused(spoilt().put("llama.attention.head_count", kNumber, 7U).bytes(), {"7"});
    checkRefused(spoilt().put("llama.embedding_length", kNumber, 0U).bytes(), {"embedding_length"});
    checkRefused(spoilt().replace("tokenizer.ggml.model", "tokenizer.gone.model").bytes(),
                 {"tokenizer"});
    checkRefused(spoilt().replace("tokenizer.ggml.tokens", "tokenizer.gone.tokens").bytes(),
                 {"tokenizer"});
}

TEST_CASE_FIXTURE(
    Fixture,
    "a document longer than the model's window is refused with both lengths, or read in windows")
{
    const auto file = folder.write(
        "narrow.gguf", SpoiltReader().put("llama.context_length", kNumber, 100U).bytes());
    checkRefusal(library.run({"prepare", std::to_string(document), "--method", "kvzip", "--model",
                              file.string()}),
                 1, {"The document has ", " tokens", "window of 100", "longer window"});
    CHECK(library.result({"contexts"}).at("contexts").empty());
    CHECK(library.result({"documents"}).at("documents").size() == 1);
    // Without a method it is read in windows.
    CHECK(library.result({"prepare", std::to_string(document), "--model", file.string()})
              .at("method") == "parallel-windows");
}

TEST_CASE_FIXTURE(Fixture, "a context is not given to another model, and waits for its own")
{
    const auto mine = folder.write("mine.gguf", SpoiltReader().bytes());
    const std::string id = std::to_string(document);
    library.result({"prepare", id, "--model", mine.string()});
    const auto other = folder.write("other.gguf", SpoiltReader().changeWeights().bytes());
    const std::vector<std::string> ask{"ask", id, "The ferryman of house"};
    auto elsewhere = ask;
    elsewhere.insert(elsewhere.end(), {"--model", other.string()});
    checkRefusal(library.run(elsewhere), 1,
                 {"another file of the same name", "prepare the document again"});

    const auto moved = folder.path() / "moved.gguf";
    std::filesystem::rename(mine, moved);
    checkRefusal(library.run(ask), 1, {"mine.gguf", "not there"});
    auto again = ask;
    again.insert(again.end(), {"--model", moved.string()});
    CHECK(library.run(again).code == 0);
    std::filesystem::rename(moved, mine);
    CHECK(library.run(ask).code == 0);
}
