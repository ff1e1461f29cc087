#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace app {

/// SHA-256 of bytes that arrive in pieces (FIPS 180-4, section 6.2).
class Sha256
{
public:
    void add(std::span<const std::byte> bytes);

    /// 64 lower-case hexadecimal digits. Ends the computation: nothing may be added afterwards.
    std::string finishHex();

private:
    void addBlock(const std::byte* block);

    std::array<std::uint32_t, 8> m_state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                            0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<std::byte, 64> m_pending{};
    std::size_t m_pendingBytes = 0;
    std::uint64_t m_totalBytes = 0;
};

std::string sha256Hex(std::string_view text);

/// SHA-256 of a file, read in pieces of 1 MiB.
/// @throws engine::Error NotFound if it cannot be read, Cancelled if `stop` was requested.
std::string sha256OfFile(const std::filesystem::path& file, std::stop_token stop = {});

} // namespace app
