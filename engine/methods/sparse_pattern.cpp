#include "engine/methods/sparse_pattern.h"

#include "kernels/select.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace engine {
namespace {

constexpr std::size_t kPage = kernels::kPageRows;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

double numberOrNothing(float value)
{
    return std::isnan(value) ? 0.0 : static_cast<double>(value);
}

/// Sum of the weights [begin, end) of a row.
double sumOf(const LastRows& last, std::size_t row, std::size_t begin, std::size_t end)
{
    double sum = 0;
    for (std::size_t entry = begin; entry < end; ++entry)
        sum += numberOrNothing(last.at(row, entry));
    return sum;
}

/// The weights of each row add up to 1.
double shareOfAll(const LastRows& last, double part)
{
    return last.rows > 0 ? part / static_cast<double>(last.rows) : 0;
}

/// The `count` largest values, of which the first `forced` count as infinite.
std::vector<std::uint32_t> largest(std::vector<float> values, std::size_t count, std::size_t forced)
{
    count = std::min(count, values.size());
    std::fill_n(values.begin(), std::min(forced, count), kInfinity);
    return kernels::cpu::selectTop(values, {}, count, kernels::cpu::TieRule::LowerIndex);
}

std::size_t pagesFor(std::size_t entries)
{
    return (entries + kPage - 1) / kPage;
}

/// Sets the pages that hold the entries [begin, end).
void mark(std::vector<char>& pages, std::size_t begin, std::size_t end)
{
    if (begin < end)
        std::fill(pages.begin() + static_cast<std::ptrdiff_t>(begin / kPage),
                  pages.begin() + static_cast<std::ptrdiff_t>(pagesFor(end)), char{1});
}

std::vector<std::uint32_t> listOf(const std::vector<char>& pages)
{
    std::vector<std::uint32_t> list;
    for (std::size_t page = 0; page < pages.size(); ++page)
        if (pages[page] != 0)
            list.push_back(static_cast<std::uint32_t>(page));
    return list;
}

} // namespace

kernels::EntryRange PieceRows::tile(std::size_t index) const
{
    const std::size_t first = index * kernels::kPatternRows;
    return {static_cast<std::uint32_t>(begin + first),
            static_cast<std::uint32_t>(begin + std::min(first + kernels::kPatternRows, rows))};
}

PatternSums patternSums(const LastRows& last)
{
    PatternSums sums{std::vector<float>(last.entries), std::vector<float>(last.entries)};
    // Distances from the last entry backwards, so that both sums run forwards.
    std::vector<float> backwards(last.entries);
    for (std::size_t row = 0; row < last.rows; ++row) {
        const std::size_t seen = last.firstEntry() + row + 1;
        const auto weights = last.weights.subspan(row * last.stride(), seen);
        const auto distances = std::span(backwards).subspan(last.entries - seen);
        for (std::size_t entry = 0; entry < seen; ++entry) {
            sums.columns[entry] += weights[entry];
            distances[entry] += weights[entry];
        }
    }
    std::ranges::reverse_copy(backwards, sums.slashes.begin());
    return sums;
}

VerticalSlash chooseVerticalSlash(const PatternSums& sums, std::size_t vertical, std::size_t slash,
                                  std::size_t forcedColumns, std::size_t forcedSlashes)
{
    return {largest(sums.columns, vertical, forcedColumns),
            largest(sums.slashes, slash, forcedSlashes)};
}

double recallOf(const LastRows& last, const VerticalSlash& pattern)
{
    std::vector<char> isColumn(last.entries);
    double covered = 0;
    for (const std::uint32_t column : pattern.columns) {
        isColumn[column] = 1;
        for (std::size_t row = 0; row < last.rows; ++row)
            covered += numberOrNothing(last.at(row, column));
    }
    // A slash adds what no column has.
    for (const std::uint32_t distance : pattern.slashes) {
        for (std::size_t row = 0; row < last.rows; ++row) {
            const std::size_t own = last.firstEntry() + row;
            if (distance <= own && isColumn[own - distance] == 0)
                covered += numberOrNothing(last.at(row, own - distance));
        }
    }
    return shareOfAll(last, covered);
}

double recallOfShape(const LastRows& last, std::size_t initial, std::size_t local)
{
    double covered = 0;
    for (std::size_t row = 0; row < last.rows; ++row) {
        const std::size_t seen = last.firstEntry() + row + 1;
        const std::size_t first = std::min(initial, seen);
        covered += sumOf(last, row, 0, first) +
                   sumOf(last, row, std::max(first, seen - std::min(local, seen)), seen);
    }
    return shareOfAll(last, covered);
}

double recallOfPages(const LastRows& last, std::size_t firstRow,
                     std::span<const std::vector<std::uint32_t>> pages)
{
    double covered = 0;
    for (std::size_t row = 0; row < last.rows; ++row) {
        const std::size_t seen = last.firstEntry() + row + 1;
        for (const std::uint32_t page : pages[(firstRow + row) / kernels::kPatternRows])
            covered +=
                sumOf(last, row, std::min(page * kPage, seen), std::min((page + 1) * kPage, seen));
    }
    return shareOfAll(last, covered);
}

kernels::SparsePattern tilePattern(const VerticalSlash& pattern, const PieceRows& piece)
{
    std::vector<std::size_t> columnsIn(pagesFor(piece.entries()));
    for (const std::uint32_t column : pattern.columns)
        ++columnsIn[column / kPage];
    std::vector<char> whole(columnsIn.size());
    for (std::size_t page = 0; page < whole.size(); ++page) {
        const std::size_t entries = std::min(kPage, piece.entries() - page * kPage);
        whole[page] = columnsIn[page] > 0 && 2 * columnsIn[page] >= entries ? 1 : 0;
    }
    kernels::SparsePattern result;
    for (std::size_t tile = 0; tile < piece.tiles(); ++tile) {
        const kernels::EntryRange own = piece.tile(tile);
        std::vector<char> pages(whole.begin(),
                                whole.begin() + static_cast<std::ptrdiff_t>(pagesFor(own.end)));
        for (const std::uint32_t distance : pattern.slashes) {
            if (distance >= own.end)
                break;
            mark(pages, own.begin - std::min(own.begin, distance), own.end - distance);
        }
        result.pages.push_back(listOf(pages));
    }
    for (const std::uint32_t column : pattern.columns)
        if (whole[column / kPage] == 0)
            result.columns.push_back(column);
    return result;
}

kernels::SparsePattern shapePattern(std::size_t initial, std::size_t local, const PieceRows& piece)
{
    kernels::SparsePattern result;
    for (std::size_t tile = 0; tile < piece.tiles(); ++tile) {
        const kernels::EntryRange own = piece.tile(tile);
        std::vector<char> pages(pagesFor(own.end));
        mark(pages, 0, std::min<std::size_t>(initial, own.end));
        mark(pages, own.begin + 1 - std::min<std::size_t>(local, own.begin + 1), own.end);
        result.pages.push_back(listOf(pages));
    }
    return result;
}

kernels::SparsePattern blockPattern(std::span<const float> queryMeans,
                                    std::span<const float> keyMeans, std::size_t headDim,
                                    std::size_t count, const PieceRows& piece)
{
    kernels::SparsePattern result;
    for (std::size_t tile = 0; tile < piece.tiles(); ++tile) {
        const kernels::EntryRange own = piece.tile(tile);
        const auto query = queryMeans.subspan(tile * headDim, headDim);
        std::vector<float> products;
        for (std::size_t page = 0; page < pagesFor(own.end); ++page)
            products.push_back(std::transform_reduce(
                query.begin(), query.end(),
                keyMeans.begin() + static_cast<std::ptrdiff_t>(page * headDim), 0.0F));
        const auto ownPages = std::span(products).subspan(own.begin / kPage);
        std::ranges::fill(ownPages, kInfinity);
        products.front() = kInfinity;
        const std::size_t certain = ownPages.size() + (own.begin >= kPage ? 1 : 0);
        result.pages.push_back(kernels::cpu::selectTop(products, {}, std::max(count, certain),
                                                       kernels::cpu::TieRule::LowerIndex));
    }
    return result;
}

} // namespace engine
