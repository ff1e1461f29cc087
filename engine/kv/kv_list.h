#pragma once

#include "kernels/attention.h"
#include "kernels/kv_page.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace engine {

/// Keys and values of up to kernels::kPageRows entries. The keys are empty when another layer's are
/// used (KvList::releaseKeys).
struct KvPage
{
    kernels::KvType type = kernels::KvType::F16;
    std::vector<std::byte> keys;
    std::vector<std::byte> values;
};

/// The cached entries of one (layer, KV head), oldest first. Full pages are shared between copies;
/// the last page is copied before it is written, so a copy of a list is a snapshot that costs no
/// page.
class KvList
{
public:
    std::uint32_t length() const { return m_length; }

    /// Which row of the store's row table entry `index` came from.
    std::uint32_t row(std::uint32_t index) const { return m_identity ? index : m_rows[index]; }

    /// Appends one entry for each of the given store rows (ascending). The last page must be
    /// appendable or full. keys and values are (rows.size(), stride) with `headDim` used elements
    /// each.
    void append(kernels::KvType type, std::span<const float> keys, std::span<const float> values,
                std::size_t stride, std::size_t headDim, std::span<const std::uint32_t> rows);

    void truncate(std::uint32_t length);

    /// Keeps the entries with the given ascending indices and drops the others.
    void keep(std::span<const std::uint32_t> ascending, std::size_t headDim);

    /// The same among the entries from `from` on; those before stay.
    void keepTail(std::uint32_t from, std::span<const std::uint32_t> ascending,
                  std::size_t headDim);

    /// Entry into + i becomes its mean with entry from + i (keys and values), for `count` entries.
    /// Keys may be averaged where both have the same position.
    void blend(std::uint32_t into, std::uint32_t from, std::uint32_t count, std::size_t headDim);

    /// Gives every entry another row, ascending.
    void relabel(std::span<const std::uint32_t> rows);

    /// Frees the keys of full pages [firstPage, endPage); whoever attends to them takes another
    /// layer's (Segment::keyLayers). Nothing may read or drop these entries' keys afterwards.
    void releaseKeys(std::uint32_t firstPage, std::uint32_t endPage);

    /// Turns the keys of entries [range.begin, range.end) by `delta` positions: `rotate` gets
    /// (count, headDim) keys and changes them in place.
    template <typename Rotate>
    void editKeys(kernels::EntryRange range, std::size_t headDim, const Rotate& rotate)
    {
        std::vector<float> keys(std::size_t{range.end - range.begin} * headDim);
        readKeys(keys, range.begin, headDim);
        rotate(std::span<float>(keys));
        writeKeys(keys, range.begin, headDim);
    }

    /// Float32 copies of entries [first, first + out.size() / headDim).
    void readKeys(std::span<float> out, std::uint32_t first, std::size_t headDim) const;
    void readValues(std::span<float> out, std::uint32_t first, std::size_t headDim) const;

    /// Stores every full page as `type`, and gives back what was held in reserve. A last page that
    /// is not full stays as it is, but for zeros behind the end, where rows that only asked may
    /// have left something: so what is stored does not depend on whether they were read again.
    void pack(kernels::KvType type, std::size_t headDim);

    /// Appends a page read from an artefact. Only the last page may be partly filled.
    void adoptPage(std::shared_ptr<const KvPage> page, std::span<const std::uint32_t> rows);

    /// Views of the pages, valid until the list changes. Only those of pages that may have changed
    /// are made anew: the pages of a long list lie all over the memory, and to visit each of them
    /// for every token takes as long as to compute the token.
    std::span<const kernels::KvPageView> views();
    /// The same, all made anew.
    void views(std::vector<kernels::KvPageView>& out) const;
    const std::vector<std::shared_ptr<const KvPage>>& pages() const { return m_pages; }

    /// What the list has asked the allocator for: the pages with what manages them, shared ones
    /// too, and the tables. The allocator's own rounding is not in it.
    std::size_t bytes() const;

private:
    KvPage& writablePage(std::size_t index);
    kernels::KvPageView view(std::size_t index) const;
    void clearBehindEnd(std::size_t headDim);
    void writeKeys(std::span<const float> keys, std::uint32_t first, std::size_t headDim);
    void addRows(std::span<const std::uint32_t> rows);

    std::vector<std::shared_ptr<const KvPage>> m_pages;
    std::vector<std::uint32_t> m_rows; // unused while entry i is row i
    std::vector<kernels::KvPageView> m_views;
    std::size_t m_viewed = 0; // the views of pages before this one are true
    std::uint32_t m_length = 0;
    bool m_identity = true;
};

} // namespace engine
