#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace engine {

/// How a byte-level BPE vocabulary cuts a text into words before it merges.
enum class PreTokenizer
{
    Gpt2,
    Llama3,
    Qwen2,
    DeepSeekCoder,
    SmolLm
};

/// What follows from the name in `tokenizer.ggml.pre` besides the rules of cutting.
struct PreTokenizerTraits
{
    PreTokenizer rules = PreTokenizer::Gpt2;
    bool wholeWordsFirst = false; // a word that is a token is taken as it is, without merging
    bool addBos = false;          // unless the file says otherwise
};

/// Empty for names whose rules are not known.
std::optional<PreTokenizerTraits> findPreTokenizer(std::string_view name);

/// The ends of the words of `text`, ascending; the last one is the text's size. `text` is valid
/// UTF-8. Time is linear in the text, whatever is in it.
std::vector<std::uint32_t> splitWords(PreTokenizer rules, std::string_view text);

} // namespace engine
