#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace tests {

using Bytes = std::vector<std::byte>;

/// Damages a file, always in the same way for the same seed.
class Mutator
{
public:
    explicit Mutator(unsigned seed)
        : m_random(seed)
    {}

    Bytes mutate(Bytes bytes)
    {
        const std::size_t steps = 1 + m_random() % 4;
        for (std::size_t i = 0; i < steps && !bytes.empty(); ++i) {
            step(bytes);
        }
        return bytes;
    }

private:
    std::size_t below(std::size_t limit) { return m_random() % limit; }

    void step(Bytes& bytes)
    {
        switch (below(6)) {
        case 0: // one bit
            bytes[below(bytes.size())] ^= static_cast<std::byte>(1U << below(8));
            break;
        case 1: // one byte
            bytes[below(bytes.size())] = static_cast<std::byte>(below(256));
            break;
        case 2: // cut off
            bytes.resize(below(bytes.size() + 1));
            break;
        case 3:
            overwriteNumber(bytes);
            break;
        case 4: // a piece of the file moves over another one
            splice(bytes);
            break;
        default: // something in between is missing
            const std::size_t begin = below(bytes.size());
            const std::size_t count = std::min(below(16) + 1, bytes.size() - begin);
            const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(begin);
            bytes.erase(first, first + static_cast<std::ptrdiff_t>(count));
        }
    }

    /// Counts, lengths, dimensions, types and offsets are all numbers of four or eight bytes.
    void overwriteNumber(Bytes& bytes)
    {
        constexpr std::array<std::uint64_t, 12> kExtremes = {0,
                                                             1,
                                                             0x7fffffff,
                                                             0x80000000,
                                                             0xffffffff,
                                                             0x100000000,
                                                             1ULL << 40U,
                                                             1ULL << 61U,
                                                             0x7fffffffffffffff,
                                                             0x8000000000000000,
                                                             0xfffffffffffffff0,
                                                             0xffffffffffffffff};
        const std::uint64_t number = kExtremes[below(kExtremes.size())];
        const std::size_t width = below(2) == 0 ? 4 : 8;
        if (bytes.size() >= width) {
            std::memcpy(bytes.data() + below(bytes.size() - width + 1), &number, width);
        }
    }

    void splice(Bytes& bytes)
    {
        const std::size_t count = std::min(below(64) + 1, bytes.size());
        const std::size_t from = below(bytes.size() - count + 1);
        const std::size_t to = below(bytes.size() - count + 1);
        std::memmove(bytes.data() + to, bytes.data() + from, count);
    }

    std::mt19937 m_random;
};

} // namespace tests
