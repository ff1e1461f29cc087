// Plain pieces of the reference paths.
#pragma once

#include "kernels/attention.h"

#include <span>
#include <vector>

namespace kernels::cpu {

/// The keys (or values) of the entries in `range`, row-major float32. An inverted range is empty.
std::vector<float> readKeys(const KvListView& list, EntryRange range, std::size_t headDim);
std::vector<float> readValues(const KvListView& list, EntryRange range, std::size_t headDim);

/// The scaled dot product of a query with each row of `keys`.
std::vector<double> logits(std::span<const float> query, std::span<const float> keys, float scale);

/// log(sum(exp(values))), natural; -infinity for no values.
double logSumExp(std::span<const double> values);

} // namespace kernels::cpu
