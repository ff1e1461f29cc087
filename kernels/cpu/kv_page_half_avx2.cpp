#include "kernels/cpu/kv_page_half_avx2.h"

#include <immintrin.h>

namespace kernels::cpu {
namespace {

constexpr std::size_t kBytesOfEight = 8 * 2;
constexpr std::size_t kBytesOfLine = kPanelWidth * 2;

__m256 loadEight(const std::byte* halves)
{
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves)));
}

void storeEight(std::byte* halves, __m256 values)
{
    _mm_storeu_si128(reinterpret_cast<__m128i*>(halves),
                     _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT));
}

/// Turns eight rows of eight into columns.
void transpose(__m256 (&rows)[8])
{
    __m256 pairs[8];
    for (std::size_t i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
    __m256 fours[8];
    for (std::size_t i = 0; i < 8; i += 4) {
        fours[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
        fours[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xEE);
        fours[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
        fours[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xEE);
    }
    for (std::size_t i = 0; i < 4; ++i) {
        rows[i] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20);
        rows[i + 4] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31);
    }
}

/// Eight lines of a panel, which are channels, to the columns of 16 rows `step` floats apart.
void rowsFromLines(float* rows, std::size_t step, const std::byte* lines)
{
    for (std::size_t half = 0; half < 2; ++half) {
        __m256 block[8];
        for (std::size_t line = 0; line < 8; ++line)
            block[line] = loadEight(lines + line * kBytesOfLine + half * kBytesOfEight);
        transpose(block);
        for (std::size_t row = 0; row < 8; ++row)
            _mm256_storeu_ps(rows + (half * 8 + row) * step, block[row]);
    }
}

void linesFromRows(std::byte* lines, const float* rows, std::size_t step)
{
    for (std::size_t half = 0; half < 2; ++half) {
        __m256 block[8];
        for (std::size_t row = 0; row < 8; ++row)
            block[row] = _mm256_loadu_ps(rows + (half * 8 + row) * step);
        transpose(block);
        for (std::size_t line = 0; line < 8; ++line)
            storeEight(lines + line * kBytesOfLine + half * kBytesOfEight, block[line]);
    }
}

/// visit(place in the page in bytes, place in (rows, headDim)) for what is converted at once: eight
/// channels of 16 rows of keys, or eight of one row of values.
template <class Visit>
void forEachBlock(PageSide side, std::size_t rows, std::size_t headDim, std::size_t first,
                  const Visit& visit)
{
    const PanelShape shape = panelShape(side, headDim);
    const bool isKeys = side == PageSide::Keys;
    for (std::size_t row = 0; row < rows; row += isKeys ? kPanelWidth : 1) {
        for (std::size_t channel = 0; channel < headDim; channel += 8)
            visit(2 * (isKeys ? panelIndex(shape, channel, first + row)
                              : panelIndex(shape, first + row, channel)),
                  row * headDim + channel);
    }
}

} // namespace

void encodeHalvesAvx2(PageSide side, std::byte* page, std::span<const float> rows,
                      std::size_t headDim, std::size_t first)
{
    const std::size_t count = rows.size() / headDim;
    if (side == PageSide::Keys)
        forEachBlock(side, count, headDim, first, [&](std::size_t place, std::size_t at) {
            linesFromRows(page + place, &rows[at], headDim);
        });
    else
        forEachBlock(side, count, headDim, first, [&](std::size_t place, std::size_t at) {
            storeEight(page + place, _mm256_loadu_ps(&rows[at]));
        });
}

void decodeHalvesAvx2(PageSide side, std::span<float> rows, const std::byte* page,
                      std::size_t headDim, std::size_t first)
{
    const std::size_t count = rows.size() / headDim;
    if (side == PageSide::Keys)
        forEachBlock(side, count, headDim, first, [&](std::size_t place, std::size_t at) {
            rowsFromLines(&rows[at], headDim, page + place);
        });
    else
        forEachBlock(side, count, headDim, first, [&](std::size_t place, std::size_t at) {
            _mm256_storeu_ps(&rows[at], loadEight(page + place));
        });
}

} // namespace kernels::cpu
