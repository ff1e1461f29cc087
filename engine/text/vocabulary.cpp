#include "engine/text/vocabulary.h"

#include "engine/error.h"
#include "engine/gguf/gguf_file.h"

#include <algorithm>

namespace engine {
namespace {

constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
constexpr std::string_view kTypesKey = "tokenizer.ggml.token_type";

// Files often call these tokens ordinary ones. The reference goes by their names, so we must, too:
// an ordinary end-of-turn token could be smuggled in by a document.
constexpr std::array<std::string_view, 22> kEndNames = {"<|eot_id|>",
                                                        "<|im_end|>",
                                                        "<|end|>",
                                                        "<|return|>",
                                                        "<|call|>",
                                                        "<|flush|>",
                                                        "<|calls|>",
                                                        "<end_of_turn>",
                                                        "<|endoftext|>",
                                                        "</s>",
                                                        "<|eom_id|>",
                                                        "<EOT>",
                                                        "_<EOT>",
                                                        "[EOT]",
                                                        "[EOS]",
                                                        "<|end_of_text|>",
                                                        "<end_of_utterance>",
                                                        "<eos>",
                                                        "<turn|>",
                                                        "<|tool_response>",
                                                        "<｜end▁of▁sentence｜>",
                                                        "[e~["};
// Of fill-in-the-middle: padding and the marks between files and repositories end an answer as
// well.
constexpr std::array<std::string_view, 11> kFileEndNames = {
    "<|fim_pad|>",   "<fim-pad>",  "<fim_pad>", "<PAD>",      "[PAD]",       "<|fim_repo|>",
    "<|repo_name|>", "<fim-repo>", "<REPO>",    "<reponame>", "<|file_sep|>"};
constexpr std::array<std::string_view, 24> kFillInNames = {
    "<|fim_prefix|>", "<fim-prefix>",    "<fim_prefix>",    "<｜fim▁begin｜>", "<PRE>",
    "▁<PRE>",         "<|code_prefix|>", "<|prefix|>",      "<|fim_suffix|>",  "<fim-suffix>",
    "<fim_suffix>",   "<｜fim▁hole｜>",  "<SUF>",           "▁<SUF>",          "<|code_suffix|>",
    "<|suffix|>",     "<|fim_middle|>",  "<fim-middle>",    "<fim_middle>",    "<｜fim▁end｜>",
    "<MID>",          "▁<MID>",          "<|code_middle|>", "<|middle|>"};

std::vector<std::string> readTexts(const GgufFile& file)
{
    const GgufArray* const array = file.findArray(kTokensKey);
    const auto* const texts =
        array == nullptr ? nullptr : std::get_if<std::vector<std::string>>(&array->values);
    if (texts == nullptr || texts->empty()) {
        throwDamagedTokenizer(file, std::string(kTokensKey) + " is not a list of texts");
    }
    const auto tooLong = std::ranges::find_if(
        *texts, [](const std::string& text) { return text.size() > kLongestToken; });
    if (tooLong != texts->end()) {
        throwDamagedTokenizer(file, std::string(kTokensKey) + " has a token of " +
                                        std::to_string(tooLong->size()) + " bytes");
    }
    return *texts;
}

std::vector<TokenKind> readKinds(const GgufFile& file, std::size_t count)
{
    const GgufArray* const array = file.findArray(kTypesKey);
    if (array == nullptr) {
        return std::vector<TokenKind>(count, TokenKind::Normal);
    }
    const auto* const numbers = std::get_if<std::vector<std::int64_t>>(&array->values);
    if (numbers == nullptr || numbers->size() != count) {
        throwDamagedTokenizer(file, std::string(kTypesKey) +
                                        " does not have one signed number per token");
    }
    std::vector<TokenKind> kinds;
    kinds.reserve(count);
    for (const std::int64_t number : *numbers) {
        const bool known = number >= 0 && number <= static_cast<std::int64_t>(TokenKind::Byte);
        kinds.push_back(known ? static_cast<TokenKind>(number) : TokenKind::Undefined);
    }
    return kinds;
}

std::optional<std::int32_t> readId(const GgufFile& file, std::string_view key, std::size_t count,
                                   std::optional<std::int32_t> fallback)
{
    const auto id = file.findUint(key);
    if (!id) {
        const bool usable = fallback && static_cast<std::size_t>(*fallback) < count;
        return usable ? fallback : std::nullopt;
    }
    if (*id >= count) {
        throwDamagedTokenizer(file, std::string(key) + " is " + std::to_string(*id) +
                                        ", but there are only " + std::to_string(count) +
                                        " tokens");
    }
    return static_cast<std::int32_t>(*id);
}

void markByName(Vocabulary& vocabulary)
{
    const auto mark = [&vocabulary](std::string_view name, bool ends) {
        if (const auto id = vocabulary.find(name)) {
            vocabulary.kinds[static_cast<std::size_t>(*id)] = TokenKind::Control;
            if (ends) {
                vocabulary.endOfGeneration.insert(*id);
            }
        }
    };
    for (const std::string_view name : kEndNames) {
        mark(name, true);
    }
    for (const std::string_view name : kFileEndNames) {
        mark(name, true);
    }
    for (const std::string_view name : kFillInNames) {
        mark(name, false);
    }
}

void readSpecialIds(const GgufFile& file, const VocabularyDefaults& defaults,
                    Vocabulary& vocabulary)
{
    const auto read = [&](std::string_view name, std::optional<std::int32_t> fallback) {
        return readId(file, "tokenizer.ggml." + std::string(name), vocabulary.size(), fallback);
    };
    vocabulary.bos = read("bos_token_id", defaults.bos);
    vocabulary.eos = read("eos_token_id", defaults.eos);
    vocabulary.unknown = read("unknown_token_id", defaults.unknown);
    const std::array ends = {vocabulary.eos, read("eot_token_id", std::nullopt),
                             read("eom_token_id", std::nullopt)};
    for (const std::optional<std::int32_t>& id : ends) {
        if (id) {
            vocabulary.endOfGeneration.insert(*id);
        }
    }
}

bool isPhi3(const GgufFile& file)
{
    std::string name = file.findString("general.name").value_or("");
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return name.find("phi-3") != std::string::npos || name.find("phi3") != std::string::npos;
}

} // namespace

void throwDamagedTokenizer(const GgufFile& file, const std::string& reason)
{
    throw Error(ErrorCode::Damaged, file.name() + " has a damaged tokenizer: " + reason +
                                        ". Choose another conversion of the model.");
}

std::optional<std::int32_t> Vocabulary::find(std::string_view text) const
{
    const auto found = ids.find(text);
    return found == ids.end() ? std::nullopt : std::optional(found->second);
}

Vocabulary readVocabulary(const GgufFile& file, const VocabularyDefaults& defaults)
{
    Vocabulary vocabulary;
    vocabulary.texts = readTexts(file);
    vocabulary.kinds = readKinds(file, vocabulary.size());
    vocabulary.ids.reserve(vocabulary.size());
    for (std::size_t i = 0; i < vocabulary.size(); ++i) {
        if (!vocabulary.texts[i].empty()) {
            vocabulary.ids.emplace(vocabulary.texts[i], static_cast<std::int32_t>(i));
        }
    }
    readSpecialIds(file, defaults, vocabulary);
    markByName(vocabulary);
    vocabulary.addBos = file.findBool("tokenizer.ggml.add_bos_token").value_or(defaults.addBos);
    vocabulary.addEos = file.findBool("tokenizer.ggml.add_eos_token").value_or(false);
    vocabulary.controlEatsSpaces = isPhi3(file);
    return vocabulary;
}

} // namespace engine
