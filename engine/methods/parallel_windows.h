#pragma once

#include "engine/methods/method.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// How a document was cut into windows; kept with the context.
struct ParallelWindows
{
    std::uint32_t prefix = 0;        // rows before the document
    std::vector<std::uint32_t> ends; // exclusive end of each window in document rows, ascending

    std::uint32_t count() const { return static_cast<std::uint32_t>(ends.size()); }
    /// Rows of the store.
    kernels::EntryRange rows(std::uint32_t window) const
    {
        return {prefix + (window == 0 ? 0 : ends[window - 1]), prefix + ends[window]};
    }

    std::vector<std::byte> write() const;
    /// Throws Damaged.
    static ParallelWindows read(std::span<const std::byte> bytes);
};

/// The most document rows that a window has: the setting `window`, or a quarter of the model's
/// window, since models read a short text more exactly.
std::uint32_t longestWindow(const DocumentPlan& plan);

/// Windows of at most `longest` rows, each ending behind a line or a sentence where its last eighth
/// has such a place. `text` gives the text of a range of document tokens.
ParallelWindows
cutWindows(std::uint32_t prefix, std::uint32_t rows, std::uint32_t longest,
           const std::function<std::string(std::uint32_t begin, std::uint32_t end)>& text);

} // namespace engine
