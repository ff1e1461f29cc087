#include "kernels/cpu/attention_block_avx2.h"
#include "kernels/cpu/attention_panels_avx2.h"
#include "kernels/cpu/attention_tile.h"

#include <type_traits>

namespace kernels::cpu {
namespace {

/// out = out * correction + weights * values over the entries [from, to).
template <int Rows, class Matrix>
inline void addValues(float* out, std::size_t headDim, const float* weights,
                      const float* correction, const Matrix& values, const BlockView& view)
{
    constexpr int kPanels = kPanelsAtOnce<Rows>;
    for (std::size_t panel = 0; panel < headDim / kPanelWidth; panel += kPanels) {
        Sums<Rows, kPanels> sums;
        for (std::size_t row = 0; row < Rows; ++row)
            for (std::size_t lane = 0; lane < 2 * kPanels; ++lane)
                sums.lanes[row][lane] = _mm256_mul_ps(
                    _mm256_broadcast_ss(correction + row),
                    _mm256_loadu_ps(out + row * headDim + panel * kPanelWidth + 8 * lane));
        addProducts<Rows, kPanels, kPageRows, 1>(
            sums, weights, readers<kPanels>(values, panel).panels, view.from, view.to);
        for (std::size_t row = 0; row < Rows; ++row)
            for (std::size_t lane = 0; lane < 2 * kPanels; ++lane)
                _mm256_storeu_ps(out + row * headDim + panel * kPanelWidth + 8 * lane,
                                 sums.lanes[row][lane]);
    }
}

/// A page as the products read it.
template <class Matrix>
struct PageReaders
{
    Matrix keys;
    Matrix values;
    RowScales scales;
    std::size_t begin = 0;
    std::size_t rows = 0;
};

template <int Rows, class Matrix>
void attendBlock(const SoftmaxState& state, const QueryTile& tile, std::size_t firstRow,
                 const PageReaders<Matrix>& page)
{
    const BlockView view = viewBlock<Rows>(tile.ranges + firstRow, page.begin, page.rows);
    if (view.from >= view.to)
        return;
    alignas(32) float logits[Rows * kPageRows];
    alignas(32) float correction[8];
    constexpr std::size_t kPanels = kPanelsAtOnce<Rows>;
    constexpr std::size_t kStep = kPanels * kPanelWidth;
    multiplyQueries<Rows>(logits, tile.packed + firstRow * tile.headDim, page.keys,
                          view.from / kStep * kPanels, (view.to + kStep - 1) / kStep * kPanels);
    updateSoftmax<Rows>(logits, state.maximum + firstRow, state.sum + firstRow, correction, view,
                        page.scales);
    addValues<Rows>(state.out + firstRow * tile.headDim, tile.headDim, logits, correction,
                    page.values, view);
}

template <class Matrix>
void attendBlocks(const SoftmaxState& state, const QueryTile& tile, const PageReaders<Matrix>& page)
{
    forEachBlock(tile.rows,
                 [&]<int Rows>(std::size_t first) { attendBlock<Rows>(state, tile, first, page); });
}

/// One block reads the page as it lies; several share its conversion. Both compute the same bits.
template <class Matrix>
void attendMatrices(const SoftmaxState& state, const QueryTile& tile,
                    const PageReaders<Matrix>& page, float* scratch)
{
    if (blockCount(tile.rows) == 1) {
        attendBlocks(state, tile, page);
        return;
    }
    float* values = scratch + kPageRows * kMaxHeadDim;
    attendBlocks(state, tile,
                 PageReaders<F32Matrix>{
                     expandMatrix(page.keys, panelShape(PageSide::Keys, tile.headDim), scratch),
                     expandMatrix(page.values, panelShape(PageSide::Values, tile.headDim), values),
                     page.scales, page.begin, page.rows});
}

} // namespace

void packQueriesAvx2(float* packed, const float* const* rows, std::size_t count,
                     std::size_t headDim, float factor)
{
    for (std::size_t block = 0; block < blockCount(count); ++block) {
        const std::size_t first = blockBegin(count, block);
        const std::size_t height = blockBegin(count, block + 1) - first;
        float* out = packed + first * headDim;
        for (std::size_t row = 0; row < height; ++row)
            for (std::size_t channel = 0; channel < headDim; ++channel)
                out[channel * height + row] = rows[first + row][channel] * factor;
    }
}

void clearStateAvx2(const SoftmaxState& state, std::size_t rows, std::size_t headDim)
{
    for (std::size_t row = 0; row < rows; ++row) {
        state.maximum[row] = kNothing;
        state.sum[row] = 0.0F;
    }
    for (std::size_t i = 0; i < rows * headDim; i += 8)
        _mm256_storeu_ps(state.out + i, _mm256_setzero_ps());
}

void attendPageAvx2(const SoftmaxState& state, const QueryTile& tile, const KvPageView& page,
                    std::size_t pageBegin, float* pageScratch)
{
    const std::size_t depth = tile.headDim;
    float* keyScratch = pageScratch + 2 * kPageRows * kMaxHeadDim;
    float* valueScratch = keyScratch + 4 * kMaxHeadDim;
    const PanelShape keyShape = panelShape(PageSide::Keys, depth);
    const PanelShape valueShape = panelShape(PageSide::Values, depth);
    const auto attend = [&](const auto& keys, const auto& values, const RowScales& scales) {
        using Matrix = std::remove_cvref_t<decltype(keys)>;
        attendMatrices(state, tile, PageReaders<Matrix>{keys, values, scales, pageBegin, page.rows},
                       pageScratch);
    };
    switch (page.type) {
    case KvType::F32:
        attendBlocks(
            state, tile,
            PageReaders<F32Matrix>{{reinterpret_cast<const float*>(page.keys), depth},
                                   {reinterpret_cast<const float*>(page.values), kPageRows},
                                   {},
                                   pageBegin,
                                   page.rows});
        break;
    case KvType::F16:
        attend(F16Matrix{page.keys, depth}, F16Matrix{page.values, kPageRows}, {});
        break;
    case KvType::Int8:
        expandScales(keyScratch, page.keys);
        expandScales(valueScratch, page.values);
        attend(Int8Matrix{page.keys + kInt8CodesOffset, depth},
               Int8Matrix{page.values + kInt8CodesOffset, kPageRows}, {keyScratch, valueScratch});
        break;
    case KvType::Kivi4:
        attend(kiviMatrix<4>(page.keys, keyShape, keyScratch),
               kiviMatrix<4>(page.values, valueShape, valueScratch), {});
        break;
    case KvType::Kivi2:
        attend(kiviMatrix<2>(page.keys, keyShape, keyScratch),
               kiviMatrix<2>(page.values, valueShape, valueScratch), {});
        break;
    }
}

void foldStateAvx2(const SoftmaxState& total, const SoftmaxState& part, std::size_t rows,
                   std::size_t headDim)
{
    for (std::size_t row = 0; row < rows; ++row) {
        const float largest = larger(total.maximum[row], part.maximum[row]);
        if (largest == kNothing)
            continue;
        alignas(32) float factors[8] = {total.maximum[row] - largest, part.maximum[row] - largest};
        _mm256_store_ps(factors, exp2Bounded(_mm256_load_ps(factors)));
        total.maximum[row] = largest;
        total.sum[row] = total.sum[row] * factors[0] + part.sum[row] * factors[1];
        const __m256 old = _mm256_set1_ps(factors[0]);
        const __m256 more = _mm256_set1_ps(factors[1]);
        for (std::size_t i = row * headDim; i < (row + 1) * headDim; i += 8)
            _mm256_storeu_ps(total.out + i,
                             _mm256_fmadd_ps(_mm256_loadu_ps(part.out + i), more,
                                             _mm256_mul_ps(_mm256_loadu_ps(total.out + i), old)));
    }
}

} // namespace kernels::cpu
