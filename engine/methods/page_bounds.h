#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace engine {

/// The smallest and largest number of every channel over the keys of a page: what Quest (Tang et
/// al. 2024, arXiv 2406.10774) knows of a page without reading it.
class PageBounds
{
public:
    explicit PageBounds(std::size_t headDim)
        : m_dim(headDim)
    {}

    /// Appends a page. keys: (rows, headDim), after RoPE.
    void addPage(std::span<const float> keys);

    std::size_t pages() const { return m_smallest.size() / m_dim; }
    std::size_t bytes() const
    {
        return (m_smallest.capacity() + m_largest.capacity()) * sizeof(float);
    }

    /// sum_c max(q_c * smallest_c, q_c * largest_c): no key of the page has a larger product with
    /// the query (headDim).
    float bound(std::size_t page, std::span<const float> query) const;

private:
    std::size_t m_dim;
    std::vector<float> m_smallest; // (pages, headDim)
    std::vector<float> m_largest;
};

/// For one KV head the `budget` pages with the highest bounds, ascending. bounds: one for each page
/// but the last, which is always taken. queries: (group, headDim); a page counts with its best
/// query. Equal bounds: the earlier page.
std::vector<std::uint32_t> choosePages(const PageBounds& bounds, std::span<const float> queries,
                                       std::size_t headDim, std::size_t pages, std::size_t budget);

} // namespace engine
