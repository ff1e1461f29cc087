#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace engine {

/// SHA-256 (FIPS 180-4) over bytes that come in pieces. The identity of models, tokenizers and
/// documents.
class Sha256
{
public:
    Sha256();

    void update(std::span<const std::byte> bytes);

    /// The digest of everything so far as 64 lower-case hex digits; more bytes may follow.
    std::string hexDigest() const;

private:
    void compress(const std::byte* block);

    std::array<std::uint32_t, 8> m_state;
    std::array<std::byte, 64> m_block{}; // bytes that do not fill a block yet
    std::uint64_t m_length = 0;          // bytes seen
};

} // namespace engine
