#pragma once

#include "engine/hash/sha256.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_special.h"
#include "engine/text/vocabulary.h"

namespace engine {

/// What all tokenizers with a vocabulary share: special tokens are cut out of the text first, the
/// rest is left to the kind of tokenizer.
class VocabularyTokenizer : public Tokenizer
{
public:
    TokenisedText encode(std::string_view text, SpecialTokens special,
                         bool addSpecial) const override;
    std::string piece(std::int32_t id, bool showSpecial) const override;

    std::size_t vocabularySize() const override { return m_vocabulary.size(); }
    std::optional<std::int32_t> bos() const override { return m_vocabulary.bos; }
    std::optional<std::int32_t> eos() const override { return m_vocabulary.eos; }
    bool isEndOfGeneration(std::int32_t id) const override
    {
        return m_vocabulary.endOfGeneration.contains(id);
    }
    bool isControl(std::int32_t id) const override;
    bool isCutOut(std::int32_t id) const override;
    std::string hash() const override { return m_hash; }

protected:
    explicit VocabularyTokenizer(Vocabulary vocabulary);

    /// A stretch of the text: plain, or one special token (then `id` is not negative).
    struct Fragment
    {
        ByteRange range;
        std::int32_t id = -1;
    };

    /// Tokenises the fragments in their order and appends to `out`; ranges are those of `text`.
    virtual void encodeFragments(std::string_view text, const std::vector<Fragment>& fragments,
                                 TokenisedText& out) const = 0;
    /// The bytes of a token that is neither a special one nor user-defined.
    virtual std::string plainPiece(std::int32_t id) const = 0;

    const Vocabulary& vocabulary() const { return m_vocabulary; }
    /// To be called at the end of the constructor with the hash over what is the kind's own.
    void finishHash(Sha256 own);

    static void append(TokenisedText& out, std::int32_t id, ByteRange range);
    /// Throws TooLarge beyond the 4 GiB that a ByteRange can hold.
    std::vector<Fragment> cutSpecialTokens(std::string_view text, SpecialTokens special) const;

private:
    void checkId(std::int32_t id) const;

    Vocabulary m_vocabulary;
    SpecialTokenFinder m_userDefined; // found in every text
    SpecialTokenFinder m_allSpecial;  // found with SpecialTokens::Parse
    std::string m_hash;
};

/// Length and bytes, so that no two lists of texts look alike.
void hashText(Sha256& hash, std::string_view text);
void hashNumber(Sha256& hash, std::uint64_t number);

} // namespace engine
