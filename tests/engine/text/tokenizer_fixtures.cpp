#include "tests/engine/text/tokenizer_fixtures.h"

#include "engine/text/utf8.h"

#include <cstdio>

namespace tests {
namespace {

std::string byteCharacter(int byte)
{
    int shifted = 0; // unprintable bytes before this one
    for (int b = 0; b < byte; ++b) {
        shifted += (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b != 0xad) ? 0 : 1;
    }
    const bool printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
    std::string text;
    engine::appendUtf8(text, static_cast<char32_t>(printable ? byte : 0x100 + shifted));
    return text;
}

} // namespace

std::int32_t VocabularyDraft::add(const std::string& text, std::int32_t kind, float score)
{
    texts.push_back(text);
    kinds.push_back(kind);
    scores.push_back(score);
    return static_cast<std::int32_t>(texts.size() - 1);
}

void VocabularyDraft::writeTo(engine::GgufWriter& writer) const
{
    writer.setStrings("tokenizer.ggml.tokens", texts);
    writer.setInts("tokenizer.ggml.token_type", kinds);
    writer.setFloats("tokenizer.ggml.scores", scores);
}

VocabularyDraft spmDraft()
{
    VocabularyDraft draft;
    draft.add("<unk>", 2);
    draft.add("<s>", 3);
    draft.add("</s>", 3);
    for (int byte = 0; byte < 256; ++byte) {
        char text[8];
        std::snprintf(text, sizeof(text), "<0x%02X>", static_cast<unsigned>(byte));
        draft.add(text, 6);
    }
    return draft;
}

VocabularyDraft bpeDraft()
{
    VocabularyDraft draft;
    for (int byte = 0; byte < 256; ++byte) {
        draft.add(byteCharacter(byte));
    }
    return draft;
}

std::string inByteAlphabet(const std::string& text)
{
    std::string encoded;
    for (const char byte : text) {
        encoded += byteCharacter(static_cast<std::uint8_t>(byte));
    }
    return encoded;
}

engine::GgufWriter spmWriter(const VocabularyDraft& draft)
{
    engine::GgufWriter writer;
    writer.setString("tokenizer.ggml.model", "llama");
    draft.writeTo(writer);
    return writer;
}

engine::GgufWriter bpeWriter(const VocabularyDraft& draft, const std::string& preTokenizer,
                             const std::vector<std::string>& merges)
{
    engine::GgufWriter writer;
    writer.setString("tokenizer.ggml.model", "gpt2");
    writer.setString("tokenizer.ggml.pre", preTokenizer);
    draft.writeTo(writer);
    writer.setStrings("tokenizer.ggml.merges", merges);
    return writer;
}

std::unique_ptr<const engine::Tokenizer> makeTokenizer(const engine::GgufWriter& writer)
{
    const std::vector<std::byte> bytes = writer.bytes();
    return engine::Tokenizer::fromGguf(*engine::GgufFile::parse(bytes, "test.gguf"));
}

} // namespace tests
