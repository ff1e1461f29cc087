#include "engine/kv/kv_list.h"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace engine {
namespace {

using kernels::kPageRows;
using kernels::KvType;

std::shared_ptr<KvPage> makePage(KvType type, std::size_t headDim)
{
    auto page = std::make_shared<KvPage>();
    page->type = type;
    page->keys.resize(kernels::keyPageBytes(type, headDim));
    page->values.resize(kernels::valuePageBytes(type, headDim));
    return page;
}

// Enough that most rows of keys fill whole panels when they are written; bounds the copies.
constexpr std::size_t kRowsWrittenAtOnce = 512;

/// What std::make_shared takes for a page: its counts stand in front of it.
constexpr std::size_t kPageObjectBytes = sizeof(KvPage) + 2 * sizeof(void*);

/// Calls piece(page, firstRowInPage, count, offset) for the parts of [first, first + count) in each
/// page.
template <typename Piece>
void forEachPiece(std::uint32_t first, std::size_t count, const Piece& piece)
{
    std::size_t done = 0;
    while (done < count) {
        const std::size_t entry = first + done;
        const std::size_t inPage = entry % kPageRows;
        const std::size_t part = std::min(count - done, kPageRows - inPage);
        piece(entry / kPageRows, inPage, part, done);
        done += part;
    }
}

} // namespace

KvPage& KvList::writablePage(std::size_t index)
{
    m_viewed = std::min(m_viewed, index);
    if (m_pages[index].use_count() > 1)
        m_pages[index] = std::make_shared<KvPage>(*m_pages[index]);
    // The page was made by this list and nobody else holds it: writing through is allowed.
    return const_cast<KvPage&>(*m_pages[index]); // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

void KvList::addRows(std::span<const std::uint32_t> rows)
{
    for (const std::uint32_t row : rows) {
        if (m_identity && row != m_length) {
            m_rows.resize(m_length);
            std::iota(m_rows.begin(), m_rows.end(), 0U);
            m_identity = false;
        }
        if (!m_identity)
            m_rows.push_back(row);
        ++m_length;
    }
}

void KvList::append(KvType type, std::span<const float> keys, std::span<const float> values,
                    std::size_t stride, std::size_t headDim, std::span<const std::uint32_t> rows)
{
    assert(kernels::isAppendable(type));
    // Before the scratch memory below: a page behind it would leave a hole that no page fits in.
    while (m_pages.size() * kPageRows < m_length + rows.size())
        m_pages.push_back(makePage(type, headDim));
    std::vector<float> piece;
    forEachPiece(m_length, rows.size(),
                 [&](std::size_t index, std::size_t inPage, std::size_t part, std::size_t done) {
                     KvPage& page = writablePage(index);
                     assert(kernels::isAppendable(page.type));
                     piece.resize(part * headDim);
                     for (std::size_t r = 0; r < part; ++r)
                         std::copy_n(&keys[(done + r) * stride], headDim, &piece[r * headDim]);
                     kernels::cpu::encodeKeys(page.type, page.keys.data(), piece, headDim, inPage);
                     for (std::size_t r = 0; r < part; ++r)
                         std::copy_n(&values[(done + r) * stride], headDim, &piece[r * headDim]);
                     kernels::cpu::encodeValues(page.type, page.values.data(), piece, headDim,
                                                inPage);
                 });
    addRows(rows);
}

void KvList::truncate(std::uint32_t length)
{
    assert(length <= m_length);
    m_length = length;
    m_pages.resize((length + kPageRows - 1) / kPageRows);
    m_viewed = std::min(m_viewed, length / kPageRows); // a last page has fewer rows now
    if (!m_identity)
        m_rows.resize(length);
}

void KvList::keep(std::span<const std::uint32_t> ascending, std::size_t headDim)
{
    if (ascending.size() == m_length)
        return;
    // The pages before the first entry that goes stay as they are.
    std::uint32_t same = 0;
    while (same < ascending.size() && ascending[same] == same)
        ++same;
    const auto from = static_cast<std::uint32_t>(same / kPageRows * kPageRows);
    KvList kept = *this;
    kept.truncate(from);
    // Whole pages are read, as single rows of keys lie scattered, and what stays is written in
    // runs.
    std::vector<float> pageKeys(kPageRows * headDim);
    std::vector<float> pageValues(kPageRows * headDim);
    std::vector<float> keys;
    std::vector<float> values;
    std::vector<std::uint32_t> rows;
    const auto most = std::min(ascending.size() - from, kRowsWrittenAtOnce + kPageRows);
    keys.reserve(most * headDim);
    values.reserve(most * headDim);
    rows.reserve(most);
    for (std::size_t i = from; i < ascending.size();) {
        const std::uint32_t first = ascending[i] - ascending[i] % kPageRows;
        const auto used = std::min<std::size_t>(kPageRows, m_length - first) * headDim;
        readKeys(std::span(pageKeys).first(used), first, headDim);
        readValues(std::span(pageValues).first(used), first, headDim);
        for (; i < ascending.size() && ascending[i] < first + kPageRows; ++i) {
            const auto at = static_cast<std::ptrdiff_t>((ascending[i] - first) * headDim);
            const auto end = at + static_cast<std::ptrdiff_t>(headDim);
            keys.insert(keys.end(), pageKeys.begin() + at, pageKeys.begin() + end);
            values.insert(values.end(), pageValues.begin() + at, pageValues.begin() + end);
            rows.push_back(row(ascending[i]));
        }
        const KvType type = m_pages[first / kPageRows]->type;
        const bool ends = i == ascending.size() || m_pages[ascending[i] / kPageRows]->type != type;
        if (ends || rows.size() >= kRowsWrittenAtOnce) {
            kept.append(type, keys, values, headDim, headDim, rows);
            keys.clear();
            values.clear();
            rows.clear();
        }
    }
    kept.m_rows.shrink_to_fit();
    kept.m_pages.shrink_to_fit();
    *this = std::move(kept);
}

void KvList::keepTail(std::uint32_t from, std::span<const std::uint32_t> ascending,
                      std::size_t headDim)
{
    assert(ascending.empty() || (ascending.front() >= from && ascending.back() < m_length));
    if (from + ascending.size() == m_length)
        return;
    const std::size_t tail = m_length - from;
    std::vector<float> keys(tail * headDim);
    std::vector<float> values(tail * headDim);
    readKeys(keys, from, headDim);
    readValues(values, from, headDim);
    std::vector<std::uint32_t> rows;
    for (std::size_t i = 0; i < ascending.size(); ++i) {
        rows.push_back(row(ascending[i]));
        const std::size_t source = ascending[i] - from;
        std::copy_n(&keys[source * headDim], headDim, &keys[i * headDim]);
        std::copy_n(&values[source * headDim], headDim, &values[i * headDim]);
    }
    const KvType type = m_pages.back()->type;
    truncate(from);
    append(type, keys, values, headDim, headDim, rows);
    m_rows.shrink_to_fit();
}

void KvList::blend(std::uint32_t into, std::uint32_t from, std::uint32_t count, std::size_t headDim)
{
    std::vector<float> mean(count * headDim);
    std::vector<float> other(count * headDim);
    const auto average = [&] {
        for (std::size_t i = 0; i < mean.size(); ++i)
            mean[i] = 0.5F * (mean[i] + other[i]);
    };
    readKeys(mean, into, headDim);
    readKeys(other, from, headDim);
    average();
    writeKeys(mean, into, headDim);
    readValues(mean, into, headDim);
    readValues(other, from, headDim);
    average();
    forEachPiece(into, count,
                 [&](std::size_t index, std::size_t inPage, std::size_t part, std::size_t done) {
                     KvPage& page = writablePage(index);
                     kernels::cpu::encodeValues(
                         page.type, page.values.data(),
                         std::span<const float>(mean).subspan(done * headDim, part * headDim),
                         headDim, inPage);
                 });
}

void KvList::relabel(std::span<const std::uint32_t> rows)
{
    assert(rows.size() == m_length);
    m_rows = {};
    m_length = 0;
    m_identity = true;
    addRows(rows);
    m_rows.shrink_to_fit();
}

void KvList::readKeys(std::span<float> out, std::uint32_t first, std::size_t headDim) const
{
    forEachPiece(first, out.size() / headDim,
                 [&](std::size_t index, std::size_t inPage, std::size_t part, std::size_t done) {
                     const KvPage& page = *m_pages[index];
                     assert(!page.keys.empty());
                     kernels::cpu::decodeKeys(page.type,
                                              out.subspan(done * headDim, part * headDim),
                                              page.keys.data(), headDim, inPage, part);
                 });
}

void KvList::readValues(std::span<float> out, std::uint32_t first, std::size_t headDim) const
{
    forEachPiece(first, out.size() / headDim,
                 [&](std::size_t index, std::size_t inPage, std::size_t part, std::size_t done) {
                     const KvPage& page = *m_pages[index];
                     kernels::cpu::decodeValues(page.type,
                                                out.subspan(done * headDim, part * headDim),
                                                page.values.data(), headDim, inPage, part);
                 });
}

void KvList::writeKeys(std::span<const float> keys, std::uint32_t first, std::size_t headDim)
{
    forEachPiece(first, keys.size() / headDim,
                 [&](std::size_t index, std::size_t inPage, std::size_t part, std::size_t done) {
                     KvPage& page = writablePage(index);
                     kernels::cpu::encodeKeys(page.type, page.keys.data(),
                                              keys.subspan(done * headDim, part * headDim), headDim,
                                              inPage);
                 });
}

void KvList::releaseKeys(std::uint32_t firstPage, std::uint32_t endPage)
{
    assert(endPage <= m_length / kPageRows);
    for (std::uint32_t index = firstPage; index < endPage; ++index) {
        if (!m_pages[index]->keys.empty())
            writablePage(index).keys = std::vector<std::byte>(); // "= {}" would keep the memory
    }
}

void KvList::pack(KvType type, std::size_t headDim)
{
    std::vector<float> rows(kPageRows * headDim);
    for (std::size_t index = 0; index < m_length / kPageRows; ++index) {
        const KvPage& old = *m_pages[index];
        if (old.type == type)
            continue;
        auto page = makePage(type, headDim);
        if (old.keys.empty()) {
            page->keys = std::vector<std::byte>();
        } else {
            kernels::cpu::decodeKeys(old.type, rows, old.keys.data(), headDim, 0, kPageRows);
            kernels::cpu::encodeKeys(type, page->keys.data(), rows, headDim, 0);
        }
        kernels::cpu::decodeValues(old.type, rows, old.values.data(), headDim, 0, kPageRows);
        kernels::cpu::encodeValues(type, page->values.data(), rows, headDim, 0);
        m_pages[index] = std::move(page);
    }
    clearBehindEnd(headDim);
    m_views = std::vector<kernels::KvPageView>();
    m_viewed = 0;
    m_pages.shrink_to_fit();
    m_rows.shrink_to_fit();
}

void KvList::clearBehindEnd(std::size_t headDim)
{
    const std::size_t used = m_length % kPageRows;
    if (used == 0)
        return;
    KvPage& page = writablePage(m_length / kPageRows);
    const std::vector<float> nothing((kPageRows - used) * headDim);
    if (!page.keys.empty())
        kernels::cpu::encodeKeys(page.type, page.keys.data(), nothing, headDim, used);
    kernels::cpu::encodeValues(page.type, page.values.data(), nothing, headDim, used);
}

void KvList::adoptPage(std::shared_ptr<const KvPage> page, std::span<const std::uint32_t> rows)
{
    assert(m_length % kPageRows == 0 && rows.size() <= kPageRows);
    m_pages.push_back(std::move(page));
    addRows(rows);
}

kernels::KvPageView KvList::view(std::size_t index) const
{
    const KvPage& page = *m_pages[index];
    const std::size_t rows = std::min(kPageRows, m_length - index * kPageRows);
    const std::byte* keys = page.keys.empty() ? nullptr : page.keys.data();
    return {keys, page.values.data(), page.type, static_cast<std::uint32_t>(rows)};
}

std::span<const kernels::KvPageView> KvList::views()
{
    m_views.resize(m_pages.size());
    for (; m_viewed < m_pages.size(); ++m_viewed)
        m_views[m_viewed] = view(m_viewed);
    return m_views;
}

void KvList::views(std::vector<kernels::KvPageView>& out) const
{
    out.resize(m_pages.size());
    for (std::size_t index = 0; index < m_pages.size(); ++index)
        out[index] = view(index);
}

std::size_t KvList::bytes() const
{
    std::size_t total = m_rows.capacity() * sizeof(std::uint32_t) +
                        m_pages.capacity() * sizeof(m_pages.front()) +
                        m_views.capacity() * sizeof(m_views.front());
    for (const auto& page : m_pages)
        total += kPageObjectBytes + page->keys.capacity() + page->values.capacity();
    return total;
}

} // namespace engine
