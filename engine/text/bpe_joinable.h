#pragma once

#include <bitset>
#include <cstdint>
#include <unordered_set>

namespace engine {

/// The pairs of neighbouring characters (or bytes) that some token has inside. Between two others
/// no merge can ever happen, so a text may be cut there without changing its tokens; the pieces are
/// short, which keeps the merging of a long text in the processor's caches.
class JoinablePairs
{
public:
    void add(char32_t left, char32_t right)
    {
        if (left < kSide && right < kSide) {
            m_low.set(left * kSide + right);
        } else {
            m_high.insert(keyOf(left, right));
        }
    }

    bool contains(char32_t left, char32_t right) const
    {
        return left < kSide && right < kSide ? m_low.test(left * kSide + right)
                                             : m_high.contains(keyOf(left, right));
    }

private:
    static std::uint64_t keyOf(char32_t left, char32_t right)
    {
        return std::uint64_t{left} << 32U | right;
    }

    static constexpr std::size_t kSide = 256;
    std::bitset<kSide * kSide> m_low;
    std::unordered_set<std::uint64_t> m_high;
};

} // namespace engine
