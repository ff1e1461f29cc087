#pragma once

#include "engine/text/bpe_joinable.h"
#include "engine/text/bpe_merger.h"
#include "engine/text/pretokenizer.h"
#include "engine/text/tokenizer_base.h"

namespace engine {

/// Byte-level BPE (`tokenizer.ggml.model` = "gpt2"): the text is cut into words, and the bytes of
/// each word merge in the order of a list.
class BpeTokenizer : public VocabularyTokenizer
{
public:
    /// Throws Damaged or Unsupported, naming the key.
    explicit BpeTokenizer(const GgufFile& file);

    TokenisedText encode(std::string_view text, SpecialTokens special,
                         bool addSpecial) const override;

protected:
    void encodeFragments(std::string_view text, const std::vector<Fragment>& fragments,
                         TokenisedText& out) const override;
    std::string plainPiece(std::int32_t id) const override;

private:
    using Word = std::vector<MergeSymbol>;

    BpeTokenizer(const GgufFile& file, PreTokenizerTraits traits);

    std::int32_t pieceId(std::string_view piece);
    void addMerges(const GgufFile& file, const std::vector<std::string>& merges);
    void addJoint(std::string_view left, std::string_view right);
    std::optional<std::int32_t> wholeWord(std::string_view word, std::string& buffer) const;
    void encodeWord(std::string_view text, ByteRange range, BpeMerger& merger, Word& word,
                    TokenisedText& out) const;
    void finishPart(std::string_view text, std::uint32_t end, BpeMerger& merger, Word& word,
                    TokenisedText& out) const;

    PreTokenizerTraits m_traits;
    std::array<std::int32_t, 256> m_byteIds{};
    // Texts that occur in merges and are no tokens: ids behind the vocabulary.
    std::unordered_map<std::string, std::int32_t> m_extraIds;
    JoinablePairs m_joinable; // of bytes
    MergeTable m_merges;
};

} // namespace engine
