#include "tests/engine/reader/reader_file.h"

namespace tests {

std::shared_ptr<const engine::GgufFile> readerFile()
{
    static const auto file =
        engine::GgufFile::open(BINARY_DIR "/resources/constructed-reader.gguf");
    return file;
}

const engine::Tokenizer& readerTokenizer()
{
    static const auto tokenizer = engine::Tokenizer::fromGguf(*readerFile());
    return *tokenizer;
}

std::vector<std::int32_t> readerTokens(std::string_view text)
{
    return readerTokenizer().encode(text, engine::SpecialTokens::AsText, false).ids;
}

} // namespace tests
