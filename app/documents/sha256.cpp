#include "app/documents/sha256.h"

#include "app/documents/file_name.h"
#include "engine/error.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <vector>

namespace app {

namespace {

constexpr std::array<std::uint32_t, 64> kRoundConstants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

std::uint32_t bigEndian(const std::byte* bytes)
{
    return std::to_integer<std::uint32_t>(bytes[0]) << 24 |
           std::to_integer<std::uint32_t>(bytes[1]) << 16 |
           std::to_integer<std::uint32_t>(bytes[2]) << 8 | std::to_integer<std::uint32_t>(bytes[3]);
}

} // namespace

void Sha256::addBlock(const std::byte* block)
{
    std::array<std::uint32_t, 64> schedule{};
    for (std::size_t i = 0; i < 16; ++i)
        schedule[i] = bigEndian(block + 4 * i);
    for (std::size_t i = 16; i < 64; ++i) {
        const std::uint32_t early = schedule[i - 15];
        const std::uint32_t late = schedule[i - 2];
        schedule[i] = schedule[i - 16] + schedule[i - 7] +
                      (std::rotr(early, 7) ^ std::rotr(early, 18) ^ (early >> 3)) +
                      (std::rotr(late, 17) ^ std::rotr(late, 19) ^ (late >> 10));
    }
    auto [a, b, c, d, e, f, g, h] = m_state;
    for (std::size_t i = 0; i < 64; ++i) {
        const std::uint32_t first = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                                    ((e & f) ^ (~e & g)) + kRoundConstants[i] + schedule[i];
        const std::uint32_t second =
            (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + first;
        d = c;
        c = b;
        b = a;
        a = first + second;
    }
    const std::array<std::uint32_t, 8> mixed = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < mixed.size(); ++i)
        m_state[i] += mixed[i];
}

void Sha256::add(std::span<const std::byte> bytes)
{
    m_totalBytes += bytes.size();
    while (!bytes.empty()) {
        if (m_pendingBytes == 0 && bytes.size() >= m_pending.size()) {
            addBlock(bytes.data());
            bytes = bytes.subspan(m_pending.size());
            continue;
        }
        const std::size_t taken = std::min(bytes.size(), m_pending.size() - m_pendingBytes);
        std::memcpy(m_pending.data() + m_pendingBytes, bytes.data(), taken);
        m_pendingBytes += taken;
        bytes = bytes.subspan(taken);
        if (m_pendingBytes == m_pending.size()) {
            addBlock(m_pending.data());
            m_pendingBytes = 0;
        }
    }
}

std::string Sha256::finishHex()
{
    const std::uint64_t bits = m_totalBytes * 8;
    std::vector<std::byte> padding(m_pendingBytes < 56 ? 56 - m_pendingBytes
                                                       : 120 - m_pendingBytes);
    padding[0] = std::byte{0x80};
    for (int shift = 56; shift >= 0; shift -= 8)
        padding.push_back(static_cast<std::byte>(bits >> shift & 0xff));
    add(padding);

    std::string hex;
    for (const std::uint32_t word : m_state) {
        for (int shift = 28; shift >= 0; shift -= 4)
            hex.push_back("0123456789abcdef"[word >> shift & 0xf]);
    }
    return hex;
}

std::string sha256Hex(std::string_view text)
{
    Sha256 hash;
    hash.add(std::as_bytes(std::span(text)));
    return hash.finishHex();
}

std::string sha256OfFile(const std::filesystem::path& file, std::stop_token stop)
{
    std::ifstream stream(file, std::ios::binary);
    if (!stream)
        throw engine::Error(engine::ErrorCode::NotFound,
                            quotedName(file) + " could not be opened for reading.", file.string());
    Sha256 hash;
    std::vector<char> buffer(1 << 20);
    while (stream) {
        if (stop.stop_requested())
            throw engine::Error(engine::ErrorCode::Cancelled,
                                "The import of " + quotedName(file) + " was cancelled.");
        stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        hash.add(
            std::as_bytes(std::span(buffer.data(), static_cast<std::size_t>(stream.gcount()))));
    }
    if (stream.bad())
        throw engine::Error(engine::ErrorCode::NotFound,
                            quotedName(file) + " could not be read to its end.", file.string());
    return hash.finishHex();
}

} // namespace app
