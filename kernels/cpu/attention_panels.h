// Readers of page panels and the product that both halves of attention are made of.
#pragma once

#include "kernels/cpu/attention_columns.h"
#include "kernels/cpu/kv_page_layout.h"

namespace kernels::cpu {
namespace {

// A panel reader gives the columns of one depth as float32; a matrix reader gives the panels. Int8
// gives the bare codes: their scales belong to rows and are applied to the logits and to the
// weights.

struct F32Panel
{
    const float* numbers;

    Columns at(std::size_t depth) const { return loadColumns(numbers + depth * kPanelWidth); }
};

struct F32Matrix
{
    const float* numbers;
    std::size_t depth;

    F32Panel panel(std::size_t index) const { return {numbers + index * depth * kPanelWidth}; }
};

struct F16Panel
{
    const std::byte* numbers;

    Columns at(std::size_t depth) const
    {
        return loadHalfColumns(numbers + depth * kPanelWidth * 2);
    }
};

struct F16Matrix
{
    const std::byte* numbers;
    std::size_t depth;

    F16Panel panel(std::size_t index) const { return {numbers + index * depth * kPanelWidth * 2}; }
};

struct Int8Panel
{
    const std::byte* codes;

    Columns at(std::size_t depth) const { return loadCodes(codes + depth * kPanelWidth); }
};

struct Int8Matrix
{
    const std::byte* codes;
    std::size_t depth;

    Int8Panel panel(std::size_t index) const { return {codes + index * depth * kPanelWidth}; }
};

/// Bits per code are 4 or 2. `scale` and `middle` (depth) belong to the group of columns the panel
/// lies in.
template <unsigned Bits>
struct KiviPanel
{
    const std::byte* words;
    const float* scale;
    const float* middle;

    Columns at(std::size_t depth) const
    {
        return loadKiviColumns<Bits>(words + depth * (kPanelWidth * Bits / 8), scale + depth,
                                     middle + depth);
    }
};

template <unsigned Bits>
struct KiviMatrix
{
    const std::byte* words;
    const float* scale;  // (width / 32, depth)
    const float* middle; // (width / 32, depth)
    std::size_t depth;

    KiviPanel<Bits> panel(std::size_t index) const
    {
        const std::size_t group = index / (kKiviGroup / kPanelWidth) * depth;
        return {words + index * depth * (kPanelWidth * Bits / 8), scale + group, middle + group};
    }
};

/// Reads the parameters of one side of a KIVI page into `scratch` (2, groups).
template <unsigned Bits>
KiviMatrix<Bits> kiviMatrix(const std::byte* page, const PanelShape& shape, float* scratch)
{
    const std::size_t groups = kiviGroups(shape);
    const auto* ranges = reinterpret_cast<const __m128i*>(page);
    const auto* minima = reinterpret_cast<const __m128i*>(page + groups * 2);
    for (std::size_t i = 0; i < groups / 8; ++i) {
        const __m256 range = _mm256_cvtph_ps(_mm_loadu_si128(ranges + i));
        const __m256 minimum = _mm256_cvtph_ps(_mm_loadu_si128(minima + i));
        const __m256 lastCode = _mm256_set1_ps(static_cast<float>((1U << Bits) - 1U));
        _mm256_storeu_ps(scratch + 8 * i, _mm256_div_ps(range, lastCode));
        _mm256_storeu_ps(scratch + groups + 8 * i,
                         _mm256_fmadd_ps(range, _mm256_set1_ps(0.5F), minimum));
    }
    return {page + kiviCodesOffset(shape), scratch, scratch + groups, shape.depth};
}

/// Converts a page side to float32 panels.
template <class Matrix>
F32Matrix expandMatrix(const Matrix& matrix, const PanelShape& shape, float* out)
{
    float* next = out;
    for (std::size_t panel = 0; panel < shape.width / kPanelWidth; ++panel) {
        const auto reader = matrix.panel(panel);
        for (std::size_t depth = 0; depth < shape.depth; ++depth, next += kPanelWidth)
            storeColumns(next, reader.at(depth));
    }
    return {out, shape.depth};
}

/// Sums of Rows x (16 * Panels) products, all in registers.
template <int Rows, int Panels>
struct Sums
{
    Columns columns[Rows][Panels];
};

/// sums[row, column] += sum over the depths [from, to) of factors[row, depth] * panels[depth,
/// column], in ascending order of the depth with one rounding each: a sum does not depend on how
/// many rows and panels share the registers.
template <int Rows, int Panels, std::size_t RowStride, std::size_t DepthStride, class Panel>
inline __attribute__((always_inline)) void
addProducts(Sums<Rows, Panels>& sums, const float* factors, const Panel (&panels)[Panels],
            std::size_t from, std::size_t to)
{
    for (std::size_t depth = from; depth < to; ++depth) {
        // In a register of its own: GCC 12 else counts addresses in vector registers, whose units
        // have the products to do.
        asm("" : "+r"(depth));
        Columns columns[Panels];
#pragma GCC unroll 4
        for (int panel = 0; panel < Panels; ++panel)
            columns[panel] = panels[panel].at(depth);
#pragma GCC unroll 8
        for (int row = 0; row < Rows; ++row) {
            const float* factor =
                factors + static_cast<std::size_t>(row) * RowStride + depth * DepthStride;
#pragma GCC unroll 4
            for (int panel = 0; panel < Panels; ++panel)
                sums.columns[row][panel] =
                    multiplyAdd(factor, columns[panel], sums.columns[row][panel]);
        }
    }
}

template <int Panels, class Panel>
struct Readers
{
    Panel panels[Panels];
};

template <int Panels, class Matrix>
inline auto readers(const Matrix& matrix, std::size_t first)
{
    using Panel = decltype(matrix.panel(0));
    if constexpr (Panels == 1)
        return Readers<1, Panel>{{matrix.panel(first)}};
    else
        return Readers<2, Panel>{{matrix.panel(first), matrix.panel(first + 1)}};
}

/// products[row * rowStride + 16 * panel + i] for the panels [firstPanel, endPanel) of `matrix`,
/// each over its whole depth. `factors` is packed by packQueries(). endPanel - firstPanel is a
/// multiple of kPanelsAtOnce<Rows>.
template <int Rows, class Matrix>
inline void multiplyQueries(float* products, const float* factors, const Matrix& matrix,
                            std::size_t firstPanel, std::size_t endPanel)
{
    constexpr int kPanels = kPanelsAtOnce<Rows>;
    for (std::size_t panel = firstPanel; panel < endPanel; panel += kPanels) {
        Sums<Rows, kPanels> sums;
        for (auto& row : sums.columns)
            for (Columns& columns : row)
                columns = noColumns();
        addProducts<Rows, kPanels, 1, Rows>(sums, factors, readers<kPanels>(matrix, panel).panels,
                                            0, matrix.depth);
        for (std::size_t row = 0; row < Rows; ++row)
            for (std::size_t i = 0; i < kPanels; ++i)
                storeColumns(products + row * kPageRows + (panel + i) * kPanelWidth,
                             sums.columns[row][i]);
    }
}

} // namespace
} // namespace kernels::cpu
