#include "kernels/cpu/attention_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kernels::cpu {
namespace {

template <class Decode>
std::vector<float> readRows(const KvListView& list, EntryRange range, std::size_t headDim,
                            Decode decode)
{
    std::vector<float> rows;
    if (range.end <= range.begin)
        return rows;
    rows.resize((range.end - range.begin) * headDim);
    std::size_t written = 0;
    for (std::size_t entry = range.begin; entry < range.end;) {
        const std::size_t first = entry % kPageRows;
        const std::size_t count = std::min(kPageRows - first, range.end - entry);
        decode(list.pages[entry / kPageRows],
               std::span(rows).subspan(written * headDim, count * headDim), first, count);
        written += count;
        entry += count;
    }
    return rows;
}

} // namespace

std::vector<float> readKeys(const KvListView& list, EntryRange range, std::size_t headDim)
{
    return readRows(list, range, headDim,
                    [headDim](const KvPageView& page, std::span<float> out, std::size_t first,
                              std::size_t count) {
                        decodeKeys(page.type, out, page.keys, headDim, first, count);
                    });
}

std::vector<float> readValues(const KvListView& list, EntryRange range, std::size_t headDim)
{
    return readRows(list, range, headDim,
                    [headDim](const KvPageView& page, std::span<float> out, std::size_t first,
                              std::size_t count) {
                        decodeValues(page.type, out, page.values, headDim, first, count);
                    });
}

std::vector<double> logits(std::span<const float> query, std::span<const float> keys, float scale)
{
    std::vector<double> result(keys.size() / query.size());
    for (std::size_t entry = 0; entry < result.size(); ++entry) {
        double sum = 0.0;
        for (std::size_t channel = 0; channel < query.size(); ++channel)
            sum += static_cast<double>(query[channel]) *
                   static_cast<double>(keys[entry * query.size() + channel]);
        result[entry] = sum * static_cast<double>(scale);
    }
    return result;
}

double logSumExp(std::span<const double> values)
{
    double largest = -std::numeric_limits<double>::infinity();
    for (const double value : values)
        largest = std::max(largest, value);
    if (std::isinf(largest))
        return largest;
    double sum = 0.0;
    for (const double value : values)
        sum += std::exp(value - largest);
    return largest + std::log(sum);
}

} // namespace kernels::cpu
