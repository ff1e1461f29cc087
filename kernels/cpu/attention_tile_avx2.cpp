#include "kernels/cpu/attention_exp_avx2.h"
#include "kernels/cpu/attention_panels_avx2.h"
#include "kernels/cpu/attention_tile.h"

#include <type_traits>

namespace kernels::cpu {
namespace {

constexpr float kNothing = -__builtin_inff();

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
        const std::size_t end = smaller<std::size_t>(
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

/// Sets the logits of entries outside [begin, end) to -infinity in the vectors [first, last).
inline void maskRow(float* logits, std::size_t begin, std::size_t end, std::size_t first,
                    std::size_t last)
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
        _mm256_storeu_ps(logits + 8 * vector, _mm256_blendv_ps(_mm256_set1_ps(kNothing), value,
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
                    exp2Negative(_mm256_sub_ps(_mm256_load_ps(before), _mm256_load_ps(base))));
    for (int row = 0; row < Rows; ++row) {
        float* z = logits + static_cast<std::size_t>(row) * kPageRows;
        const __m256 reference = _mm256_set1_ps(base[row]);
        __m256 total = _mm256_setzero_ps();
        for (std::size_t vector = first; vector < last; ++vector) {
            const __m256 weight =
                exp2Negative(_mm256_sub_ps(_mm256_loadu_ps(z + 8 * vector), reference));
            total = _mm256_add_ps(total, weight);
            _mm256_storeu_ps(z + 8 * vector, weight);
        }
        sum[row] = sum[row] * correction[row] + sumOfLanes(total);
        if (scales.values != nullptr)
            scaleRow(z, scales.values, first, last);
    }
}

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
    const std::size_t blocks = blockCount(tile.rows);
    for (std::size_t block = 0; block < blocks; ++block) {
        const std::size_t first = blockBegin(tile.rows, block);
        switch (blockBegin(tile.rows, block + 1) - first) {
        case 1:
            attendBlock<1>(state, tile, first, page);
            break;
        case 2:
            attendBlock<2>(state, tile, first, page);
            break;
        case 3:
            attendBlock<3>(state, tile, first, page);
            break;
        case 4:
            attendBlock<4>(state, tile, first, page);
            break;
        case 5:
            attendBlock<5>(state, tile, first, page);
            break;
        default:
            attendBlock<6>(state, tile, first, page);
            break;
        }
    }
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

void expandScales(float* out, const std::byte* page)
{
    for (std::size_t i = 0; i < kPageRows; i += 8)
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(
                                      reinterpret_cast<const __m128i*>(page + 2 * i))));
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
        _mm256_store_ps(factors, exp2Negative(_mm256_load_ps(factors)));
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
