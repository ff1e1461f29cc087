// Lists, queries and comparisons that the attention and score tests share.
#pragma once

#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace tests {

/// The generator of selection.md 6.1: exact in float32, values in [-1, 1).
class LinearCongruential
{
public:
    explicit LinearCongruential(std::uint32_t seed)
        : m_state(seed)
    {}

    float next()
    {
        m_state = 1664525U * m_state + 1013904223U;
        return static_cast<float>(static_cast<double>(m_state >> 8U) / 8388608.0 - 1.0);
    }

private:
    std::uint32_t m_state;
};

inline std::vector<float> randomFloats(std::size_t count, std::uint32_t seed,
                                       float deviation = 1.0F)
{
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0.0F, deviation);
    std::vector<float> values(count);
    for (float& value : values)
        value = normal(generator);
    return values;
}

/// A list that owns its pages. Entries that the KIVI types cannot hold yet (an unfull last page)
/// are kept as float16.
class OwnedList
{
public:
    OwnedList(kernels::KvType type, std::span<const float> keys, std::span<const float> values,
              std::size_t headDim)
    {
        const std::size_t rows = keys.size() / headDim;
        for (std::size_t first = 0; first < rows; first += kernels::kPageRows) {
            const std::size_t count = std::min(kernels::kPageRows, rows - first);
            const bool whole = count == kernels::kPageRows || kernels::isAppendable(type);
            addPage(whole ? type : kernels::KvType::F16,
                    keys.subspan(first * headDim, count * headDim),
                    values.subspan(first * headDim, count * headDim), headDim);
        }
        for (std::size_t i = 0; i < m_keys.size(); ++i) {
            m_pages[i].keys = m_keys[i].data();
            m_pages[i].values = m_values[i].data();
        }
        m_length = static_cast<std::uint32_t>(rows);
    }

    kernels::KvListView view() const { return {.pages = m_pages, .length = m_length}; }

private:
    void addPage(kernels::KvType type, std::span<const float> keys, std::span<const float> values,
                 std::size_t headDim)
    {
        // Bytes that no entry uses hold patterns that are not numbers in every type.
        m_keys.emplace_back(kernels::keyPageBytes(type, headDim), std::byte{0xFF});
        m_values.emplace_back(kernels::valuePageBytes(type, headDim), std::byte{0xFF});
        kernels::cpu::encodeKeys(type, m_keys.back().data(), keys, headDim, 0);
        kernels::cpu::encodeValues(type, m_values.back().data(), values, headDim, 0);
        m_pages.push_back(
            {.type = type, .rows = static_cast<std::uint32_t>(keys.size() / headDim)});
    }

    std::vector<std::vector<std::byte>> m_keys;
    std::vector<std::vector<std::byte>> m_values;
    std::vector<kernels::KvPageView> m_pages;
    std::uint32_t m_length = 0;
};

/// A whole attention problem with random contents.
struct Problem
{
    kernels::AttentionShape shape;
    std::vector<float> q; // (rows, heads, headDim)
    std::vector<OwnedList> owned;
    std::vector<kernels::KvListView> lists;
    std::vector<kernels::EntryRange> visible; // (rows, kvHeads)

    std::size_t vectors() const { return shape.rows * shape.heads; }
};

/// Causal: the last row sees the whole list, the one before it one entry less, and so on.
inline Problem makeProblem(kernels::KvType type, std::size_t rows, std::size_t heads,
                           std::span<const std::size_t> lengths, std::size_t headDim,
                           std::uint32_t seed)
{
    Problem problem;
    problem.shape = {.rows = rows,
                     .heads = heads,
                     .kvHeads = lengths.size(),
                     .headDim = headDim,
                     .scale = 1.0F / std::sqrt(static_cast<float>(headDim))};
    problem.q = randomFloats(rows * heads * headDim, seed, 2.0F);
    for (std::size_t list = 0; list < lengths.size(); ++list) {
        const auto salt = static_cast<std::uint32_t>(list);
        problem.owned.emplace_back(type, randomFloats(lengths[list] * headDim, seed + 100 + salt),
                                   randomFloats(lengths[list] * headDim, seed + 200 + salt),
                                   headDim);
    }
    for (const OwnedList& list : problem.owned)
        problem.lists.push_back(list.view());
    for (std::size_t row = 0; row < rows; ++row)
        for (const std::size_t length : lengths) {
            const std::size_t hidden = rows - 1 - row;
            problem.visible.push_back(
                {.begin = 0,
                 .end = static_cast<std::uint32_t>(length > hidden ? length - hidden : 0)});
        }
    return problem;
}

/// Largest difference relative to the largest magnitude of the expected values.
inline double relativeError(std::span<const float> actual, std::span<const float> expected)
{
    double largest = 0.0;
    double difference = 0.0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        if (actual[i] == expected[i])
            continue; // equal infinities too
        largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
        const double distance =
            std::abs(static_cast<double>(actual[i]) - static_cast<double>(expected[i]));
        difference = std::isnan(distance) ? INFINITY : std::max(difference, distance);
    }
    return difference == 0.0 ? 0.0 : difference / largest;
}

} // namespace tests
