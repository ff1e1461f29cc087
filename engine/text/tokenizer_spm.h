#pragma once

#include "engine/text/bpe_joinable.h"
#include "engine/text/bpe_merger.h"
#include "engine/text/tokenizer_base.h"

namespace engine {

/// SentencePiece BPE as llama.cpp runs it (`tokenizer.ggml.model` = "llama"): of all neighbours
/// that together are a token, the pair with the best score merges first; what is no token becomes
/// bytes.
class SpmTokenizer : public VocabularyTokenizer
{
public:
    /// Throws Damaged, naming the key.
    explicit SpmTokenizer(const GgufFile& file);

    bool putsBlankInFront() const override { return m_addSpacePrefix; }
    TokenisedText encodeContinued(std::string_view text, SpecialTokens special) const override;

protected:
    void encodeFragments(std::string_view text, const std::vector<Fragment>& fragments,
                         TokenisedText& out) const override;
    std::string plainPiece(std::int32_t id) const override;

private:
    using Word = std::vector<MergeSymbol>;

    void readByteTokens(const GgufFile& file);
    void collectCharacters();
    void addCharacter(char32_t character, std::string_view text);
    void addMerges(const std::vector<std::uint32_t>& ranks);
    bool isMergeable(std::int32_t id) const;
    void encodeBehind(bool afterSpecial, std::string_view text,
                      const std::vector<Fragment>& fragments, TokenisedText& out) const;
    std::int32_t pieceId(std::string_view piece) const;
    std::int32_t characterId(char32_t character) const;
    void encodePlain(std::string_view text, ByteRange range, bool spaceBefore, BpeMerger& merger,
                     Word& word, TokenisedText& out) const;
    void finishWord(std::string_view text, std::uint32_t end, BpeMerger& merger, Word& word,
                    TokenisedText& out) const;
    void appendBytes(std::string_view text, ByteRange range, TokenisedText& out) const;

    bool m_addSpacePrefix = true;
    JoinablePairs m_joinable;
    std::array<std::optional<std::int32_t>, 256> m_byteTokens;
    std::array<std::int32_t, 128> m_asciiIds{};
    std::unordered_map<char32_t, std::int32_t> m_characterIds; // beyond ASCII
    std::int32_t m_nextId = 0; // characters that are no token get ids behind the vocabulary
    MergeTable m_merges;
};

} // namespace engine
