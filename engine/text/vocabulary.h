#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace engine {

class GgufFile;

/// GGUF's numbers for `tokenizer.ggml.token_type`.
enum class TokenKind : std::uint8_t
{
    Undefined = 0,
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4, // found in any text, whatever the merges say
    Unused = 5,
    Byte = 6
};

/// The tokens of a model and what each of them is for.
struct Vocabulary
{
    std::vector<std::string> texts;
    std::vector<TokenKind> kinds;
    std::unordered_map<std::string_view, std::int32_t> ids; // by text, which lives in `texts`

    std::optional<std::int32_t> bos;
    std::optional<std::int32_t> eos;
    std::optional<std::int32_t> unknown;
    std::unordered_set<std::int32_t> endOfGeneration;

    bool addBos = false;
    bool addEos = false;
    bool controlEatsSpaces =
        false; // the Phi-3 family: white space behind a control token is dropped

    std::size_t size() const { return texts.size(); }
    TokenKind kind(std::int32_t id) const { return kinds[static_cast<std::size_t>(id)]; }
    const std::string& text(std::int32_t id) const { return texts[static_cast<std::size_t>(id)]; }
    std::optional<std::int32_t> find(std::string_view text) const;

    /// A token that only `SpecialTokens::Parse` may find in a text, and that no merge may form.
    bool isReserved(std::int32_t id) const
    {
        return kind(id) == TokenKind::Control || kind(id) == TokenKind::Unknown;
    }
};

/// What a kind of tokenizer assumes where the file is silent.
struct VocabularyDefaults
{
    std::optional<std::int32_t> bos;
    std::optional<std::int32_t> eos;
    std::optional<std::int32_t> unknown;
    bool addBos = false;
};

/// Bytes of the longest token that is accepted; it keeps every search linear in the text.
constexpr std::size_t kLongestToken = 1024;

/// Throws Damaged with `reason`, which names a key of the file.
[[noreturn]] void throwDamagedTokenizer(const GgufFile& file, const std::string& reason);

/// Reads the tokens, their kinds and the special ids. Throws Damaged, naming the key.
Vocabulary readVocabulary(const GgufFile& file, const VocabularyDefaults& defaults);

} // namespace engine
