#pragma once

#include "engine/gguf/gguf_file.h"
#include "engine/gguf/gguf_writer.h"
#include "engine/text/tokenizer.h"

#include <memory>
#include <string>
#include <vector>

namespace tests {

/// Tokens of a vocabulary under construction, with their kinds (GGUF's numbers) and scores.
struct VocabularyDraft
{
    std::vector<std::string> texts;
    std::vector<std::int32_t> kinds;
    std::vector<float> scores;

    std::int32_t add(const std::string& text, std::int32_t kind = 1, float score = 0);
    void writeTo(engine::GgufWriter& writer) const;
};

/// <unk> <s> </s>, the 256 bytes, then what a test adds with merges in the order of their scores.
VocabularyDraft spmDraft();

/// The 256 bytes in GPT-2's alphabet: the token of byte b has the id b.
VocabularyDraft bpeDraft();

/// The bytes of `text` in GPT-2's alphabet.
std::string inByteAlphabet(const std::string& text);

engine::GgufWriter spmWriter(const VocabularyDraft& draft);
engine::GgufWriter bpeWriter(const VocabularyDraft& draft, const std::string& preTokenizer,
                             const std::vector<std::string>& merges);

std::unique_ptr<const engine::Tokenizer> makeTokenizer(const engine::GgufWriter& writer);

} // namespace tests
