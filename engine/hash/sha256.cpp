#include "engine/hash/sha256.h"

#include <algorithm>
#include <bit>
#include <string_view>

namespace engine {
namespace {

constexpr std::size_t kBlockBytes = 64;
constexpr std::size_t kLengthOffset = 56; // of the 64-bit message length in the last block

/// FIPS 180-4, 4.2.2: first 32 bits of the fractional parts of the cube roots of the first 64
/// primes.
constexpr std::array<std::uint32_t, 64> kRoundConstants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

std::uint32_t readBigEndian(const std::byte* bytes)
{
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        value = value << 8U | std::to_integer<std::uint32_t>(bytes[i]);
    }
    return value;
}

/// FIPS 180-4, 6.2.2 step 1.
std::array<std::uint32_t, 64> messageSchedule(const std::byte* block)
{
    std::array<std::uint32_t, 64> words{};
    for (std::size_t i = 0; i < 16; ++i) {
        words[i] = readBigEndian(block + 4 * i);
    }
    for (std::size_t i = 16; i < 64; ++i) {
        const std::uint32_t early = words[i - 15];
        const std::uint32_t late = words[i - 2];
        const std::uint32_t sigma0 = std::rotr(early, 7) ^ std::rotr(early, 18) ^ early >> 3U;
        const std::uint32_t sigma1 = std::rotr(late, 17) ^ std::rotr(late, 19) ^ late >> 10U;
        words[i] = words[i - 16] + sigma0 + words[i - 7] + sigma1;
    }
    return words;
}

} // namespace

Sha256::Sha256()
    : m_state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}
{}

void Sha256::update(std::span<const std::byte> bytes)
{
    std::size_t filled = m_length % kBlockBytes;
    m_length += bytes.size();
    if (filled != 0) {
        const std::size_t taken = std::min(kBlockBytes - filled, bytes.size());
        std::copy_n(bytes.begin(), taken, m_block.begin() + static_cast<std::ptrdiff_t>(filled));
        bytes = bytes.subspan(taken);
        filled += taken;
        if (filled < kBlockBytes) {
            return;
        }
        compress(m_block.data());
    }
    while (bytes.size() >= kBlockBytes) {
        compress(bytes.data());
        bytes = bytes.subspan(kBlockBytes);
    }
    std::copy(bytes.begin(), bytes.end(), m_block.begin());
}

std::string Sha256::hexDigest() const
{
    Sha256 padded = *this;
    const std::array<std::byte, 1> marker = {std::byte{0x80}};
    padded.update(marker);
    const std::size_t filled = padded.m_length % kBlockBytes;
    const std::array<std::byte, kBlockBytes> zeros{};
    const std::size_t gap = (kLengthOffset + kBlockBytes - filled) % kBlockBytes;
    padded.update(std::span(zeros).first(gap));
    std::array<std::byte, 8> bits{};
    for (std::size_t i = 0; i < bits.size(); ++i) {
        bits[i] = static_cast<std::byte>((m_length * 8) >> (56 - 8 * i) & 0xffU);
    }
    padded.update(bits);

    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string digest;
    for (const std::uint32_t word : padded.m_state) {
        for (int shift = 28; shift >= 0; shift -= 4) {
            digest += kDigits[word >> static_cast<unsigned>(shift) & 0xfU];
        }
    }
    return digest;
}

/// FIPS 180-4, 6.2.2 steps 2 to 4.
void Sha256::compress(const std::byte* block)
{
    const std::array<std::uint32_t, 64> words = messageSchedule(block);
    // The working variables a to h. Instead of moving on by one place in each round they take
    // turns, so that they stay in registers.
    std::array<std::uint32_t, 8> s = m_state;
    std::size_t t = 0;
    const auto round = [&](std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t& d,
                           std::uint32_t e, std::uint32_t f, std::uint32_t g, std::uint32_t& h) {
        const std::uint32_t sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
        const std::uint32_t choice = (e & f) ^ (~e & g);
        const std::uint32_t first = h + sum1 + choice + kRoundConstants[t] + words[t];
        const std::uint32_t sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
        const std::uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
        d += first;
        h = first + sum0 + majority;
        ++t;
    };
    while (t < words.size()) {
        round(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
        round(s[7], s[0], s[1], s[2], s[3], s[4], s[5], s[6]);
        round(s[6], s[7], s[0], s[1], s[2], s[3], s[4], s[5]);
        round(s[5], s[6], s[7], s[0], s[1], s[2], s[3], s[4]);
        round(s[4], s[5], s[6], s[7], s[0], s[1], s[2], s[3]);
        round(s[3], s[4], s[5], s[6], s[7], s[0], s[1], s[2]);
        round(s[2], s[3], s[4], s[5], s[6], s[7], s[0], s[1]);
        round(s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[0]);
    }
    for (std::size_t i = 0; i < s.size(); ++i) {
        m_state[i] += s[i];
    }
}

} // namespace engine
