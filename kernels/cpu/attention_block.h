// What attention and score passes do with the logits of one block of rows and one page.
#pragma once

#include "kernels/cpu/attention_exp_avx2.h"
#include "kernels/cpu/attention_panels.h"
#include "kernels/cpu/attention_tile.h"

namespace kernels::cpu {
namespace {

inline constexpr float kNothing = -__builtin_inff();

/// The entries of a page that one row sees, and those that any row of a block sees.
struct BlockView
{
    std::size_t begin[kBlockRows] = {};
    std::size_t end[kBlockRows] = {};
    std::size_t from = kPageRows;
    std::size_t to = 0;
};

template <class Number>
inline Number smaller(Number a, Number b)
{
    return a < b ? a : b;
}

template <class Number>
inline Number larger(Number a, Number b)
{
    return a > b ? a : b;
}

template <int Rows>
inline BlockView viewBlock(const EntryRange* ranges, std::size_t pageBegin, std::size_t pageRows)
{
    BlockView view;
    for (int row = 0; row < Rows; ++row) {
        const std::size_t begin = larger<std::size_t>(ranges[row].begin, pageBegin) - pageBegin;
        const auto end = smaller<std::size_t>(
            larger<std::size_t>(ranges[row].end, pageBegin) - pageBegin, pageRows);
        view.begin[row] = begin;
        view.end[row] = larger(begin, end);
        if (begin < end) {
            view.from = smaller(view.from, begin);
            view.to = larger(view.to, end);
        }
    }
    return view;
}

/// Sets the logits of entries outside [begin, end) to `hidden` in the vectors [first, last).
inline void maskRow(float* logits, std::size_t begin, std::size_t end, std::size_t first,
                    std::size_t last, float hidden = kNothing)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i lowest = _mm256_set1_epi32(static_cast<int>(begin) - 1);
    const __m256i highest = _mm256_set1_epi32(static_cast<int>(end));
    for (std::size_t vector = first; vector < last; ++vector) {
        const __m256i entry =
            _mm256_add_epi32(lanes, _mm256_set1_epi32(static_cast<int>(8 * vector)));
        const __m256i seen =
            _mm256_and_si256(_mm256_cmpgt_epi32(entry, lowest), _mm256_cmpgt_epi32(highest, entry));
        const __m256 value = _mm256_loadu_ps(logits + 8 * vector);
        _mm256_storeu_ps(logits + 8 * vector, _mm256_blendv_ps(_mm256_set1_ps(hidden), value,
                                                               _mm256_castsi256_ps(seen)));
    }
}

/// The factors of one row's entries in an Int8 page; null in the other types.
struct RowScales
{
    const float* keys = nullptr;
    const float* values = nullptr;
};

inline void scaleRow(float* row, const float* scales, std::size_t first, std::size_t last)
{
    for (std::size_t vector = first; vector < last; ++vector)
        _mm256_storeu_ps(row + 8 * vector, _mm256_mul_ps(_mm256_loadu_ps(row + 8 * vector),
                                                         _mm256_loadu_ps(scales + 8 * vector)));
}

/// Turns the logits of a block into weights relative to the rows' new maxima and updates maxima and
/// sums. `correction` receives the factors of what was summed before.
template <int Rows>
inline void updateSoftmax(float* logits, float* maximum, float* sum, float* correction,
                          const BlockView& view, const RowScales& scales)
{
    const std::size_t first = view.from / kPanelWidth * 2;
    const std::size_t last = (view.to + kPanelWidth - 1) / kPanelWidth * 2;
    alignas(32) float base[8] = {};
    alignas(32) float before[8] = {};
    for (int row = 0; row < Rows; ++row) {
        float* z = logits + static_cast<std::size_t>(row) * kPageRows;
        if (scales.keys != nullptr)
            scaleRow(z, scales.keys, first, last);
        if (view.begin[row] > first * 8 || view.end[row] < last * 8)
            maskRow(z, view.begin[row], view.end[row], first, last);
        __m256 largest = _mm256_set1_ps(maximum[row]);
        for (std::size_t vector = first; vector < last; ++vector)
            largest = _mm256_max_ps(largest, _mm256_loadu_ps(z + 8 * vector));
        const float now = largestLane(largest);
        // A row that has seen nothing keeps -infinity; 0 then stands in for it in the differences.
        base[row] = now == kNothing ? 0.0F : now;
        before[row] = maximum[row];
        maximum[row] = now;
    }
    _mm256_store_ps(correction,
                    exp2Bounded(_mm256_sub_ps(_mm256_load_ps(before), _mm256_load_ps(base))));
    for (int row = 0; row < Rows; ++row) {
        float* z = logits + static_cast<std::size_t>(row) * kPageRows;
        const __m256 reference = _mm256_set1_ps(base[row]);
        __m256 total = _mm256_setzero_ps();
        for (std::size_t vector = first; vector < last; ++vector) {
            const __m256 weight =
                exp2Bounded(_mm256_sub_ps(_mm256_loadu_ps(z + 8 * vector), reference));
            total = _mm256_add_ps(total, weight);
            _mm256_storeu_ps(z + 8 * vector, weight);
        }
        sum[row] = sum[row] * correction[row] + sumOfLanes(total);
        if (scales.values != nullptr)
            scaleRow(z, scales.values, first, last);
    }
}

/// Reads the scales of the rows of an Int8 page.
inline void expandScales(float* out, const std::byte* page)
{
    for (std::size_t i = 0; i < kPageRows; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(
                                      reinterpret_cast<const __m128i*>(page + 2 * i))));
}

/// Calls work.operator()<Rows>(firstRow) for every block of a tile.
template <class Work>
inline void forEachBlock(std::size_t rows, const Work& work)
{
    for (std::size_t block = 0; block < blockCount(rows); ++block) {
        const std::size_t first = blockBegin(rows, block);
        switch (blockBegin(rows, block + 1) - first) {
        case 1:
            work.template operator()<1>(first);
            break;
        case 2:
            work.template operator()<2>(first);
            break;
        case 3:
            work.template operator()<3>(first);
            break;
        case 4:
            work.template operator()<4>(first);
            break;
        case 5:
            work.template operator()<5>(first);
            break;
        default:
            work.template operator()<6>(first);
            break;
        }
    }
}

} // namespace
} // namespace kernels::cpu
