#include "tests/app/library/sample_document.h"

#include "engine/error.h"

#include <functional>
#include <random>

namespace tests {
namespace {

void appendWord(app::ImportedDocument& document, app::ImportedPage& page, std::string_view word)
{
    const auto begin = static_cast<std::uint32_t>(document.text.size());
    document.text += word;
    const auto end = static_cast<std::uint32_t>(document.text.size());
    const auto column = static_cast<float>(page.words.size());
    page.words.push_back({{begin, end}, 72.0F + 60.5F * column, 100.25F, 40.0F, 11.5F});
    document.text += ' ';
    ++document.wordCount;
}

std::string fakeHash(std::string_view prefix, std::string_view mark)
{
    std::string hash(prefix);
    hash += mark;
    hash += '.'; // else "1" and "10" would end up the same
    hash.resize(64, '0');
    return hash;
}

} // namespace

app::ImportedDocument sampleDocument(std::string_view mark, std::size_t pages)
{
    app::ImportedDocument document;
    document.title = "Title of " + std::string(mark);
    document.author = "Author";
    document.kind = app::DocumentKind::Pdf;
    document.fileSha256 = fakeHash("f", mark);
    document.textSha256 = fakeHash("e", mark);
    document.warnings = {"First warning.", "Second\nwarning."};
    for (std::size_t i = 0; i < pages; ++i) {
        app::ImportedPage page;
        page.label = i == 0 ? "iv" : std::to_string(i);
        page.range.begin = static_cast<std::uint32_t>(document.text.size());
        page.width = 595.25;
        page.height = 842;
        page.hasText = true;
        for (const std::string& word : {std::string("page"), "number" + std::to_string(i),
                                        std::string(mark), std::string("Größe")})
            appendWord(document, page, word);
        page.range.end = static_cast<std::uint32_t>(document.text.size());
        document.pages.push_back(std::move(page));
    }
    document.outline = {{"Beginning", 0, 0}, {"End", 1, pages - 1}};
    return document;
}

std::vector<std::byte> sampleBytes(std::size_t count, std::uint32_t seed)
{
    std::mt19937 random(seed);
    std::vector<std::byte> bytes(count);
    for (std::byte& byte : bytes)
        byte = static_cast<std::byte>(random() & 0xffU);
    return bytes;
}

app::ContextRecord sampleContext(app::RecordId documentId)
{
    app::ContextRecord record;
    record.documentId = documentId;
    record.modelName = "reader";
    record.modelPath = "/models/reader\xff.gguf";
    record.modelHash = "0123abcd";
    record.method = "kvzip";
    record.settings = R"({"chunk":1024})";
    record.keep = 0.3;
    record.storeType = "kivi4";
    record.tokens = 32000;
    record.keptFraction = 0.3125;
    record.bytesFull = 1LL << 33;
    record.peakBytes = 3LL << 30;
    record.seconds = 12.5;
    return record;
}

void readEverything(const app::Library& library)
{
    for (const app::DocumentRecord& document : library.documents()) {
        const auto pages = library.pages(document.id);
        bool whole = pages.size() == document.pages &&
                     library.text(document.id).size() == document.textBytes &&
                     library.document(document.id).outline.size() == 2;
        for (const app::PageRecord& page : pages)
            whole = whole && library.words(document.id, page.index).size() == page.words;
        if (!whole)
            throw engine::Error(engine::ErrorCode::Damaged, "a visible document is torn");
    }
}

} // namespace tests
