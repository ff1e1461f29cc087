#pragma once

#include "engine/error.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

class GgufFile;

/// Half-open byte range of a text.
struct ByteRange
{
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool operator==(const ByteRange&) const = default;
};

struct TokenisedText
{
    std::vector<std::int32_t> ids;
    std::vector<ByteRange>
        ranges; // where each token comes from in the text; empty ranges for added tokens
};

enum class SpecialTokens
{
    AsText, // control tokens in the text are plain characters: the only choice for document text
    Parse   // control tokens in the text become their ids: for rendered chat templates
};

/// Text to token ids and back. Linear in the text's length, no recursion, any bytes accepted.
/// Invalid UTF-8 counts as U+FFFD where the reference does so. Immutable, may be shared by threads.
class Tokenizer
{
public:
    /// Reads `tokenizer.ggml.*`. Throws Damaged or Unsupported, naming the key.
    static std::unique_ptr<const Tokenizer> fromGguf(const GgufFile& file);
    virtual ~Tokenizer() = default;

    /// `addSpecial`: put BOS in front (and EOS behind) if the model asks for it.
    virtual TokenisedText encode(std::string_view text, SpecialTokens special,
                                 bool addSpecial) const = 0;
    /// Whether encode() puts a blank in front of a text and of what follows a special token.
    virtual bool putsBlankInFront() const { return false; }
    /// As encode(), for a text that goes on behind other text, without BOS and EOS. Only a
    /// tokenizer that puts blanks in front makes a difference: the middle of a text gets none.
    virtual TokenisedText encodeContinued(std::string_view text, SpecialTokens special) const
    {
        return encode(text, special, false);
    }

    /// The bytes of one token as a stream would send them; may be part of a UTF-8 character.
    /// Control tokens give their text if `showSpecial`, else nothing. Out of range ids throw
    /// BadInput.
    virtual std::string piece(std::int32_t id, bool showSpecial) const = 0;

    virtual std::size_t vocabularySize() const = 0;
    virtual std::optional<std::int32_t> bos() const = 0;
    virtual std::optional<std::int32_t> eos() const = 0;
    virtual bool isEndOfGeneration(std::int32_t id) const = 0; // EOS, EOT, EOM ...
    virtual bool isControl(std::int32_t id) const = 0;
    /// A token that is cut out of a text before the rest is tokenised: control or user-defined.
    virtual bool isCutOut(std::int32_t id) const = 0;
    /// Stable over program versions: the same vocabulary, merges and rules give the same 64 hex
    /// digits.
    virtual std::string hash() const = 0;

    std::string decode(const std::vector<std::int32_t>& ids, bool showSpecial) const;
};

/// Holds back the bytes of an incomplete UTF-8 character until its last byte has come.
class Utf8Stream
{
public:
    /// Returns what can be shown now. Bytes that can never become valid are replaced by U+FFFD.
    std::string push(std::string_view bytes);
    /// What is left at the end, as U+FFFD if incomplete.
    std::string finish();

private:
    std::string m_pending;
};

} // namespace engine
