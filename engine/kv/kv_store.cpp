#include "engine/kv/kv_store.h"

#include <algorithm>
#include <cassert>

namespace engine {

KvStore::KvStore(KvShape shape, kernels::KvType working)
    : m_shape(shape)
    , m_working(working)
    , m_lists(std::size_t{shape.layers} * shape.kvHeads)
{}

std::uint32_t KvStore::appendRows(std::span<const std::int32_t> positions, Role role)
{
    const std::vector<Role> roles(positions.size(), role);
    return appendRows(positions, roles);
}

std::uint32_t KvStore::appendRows(std::span<const std::int32_t> positions,
                                  std::span<const Role> roles)
{
    assert(positions.size() == roles.size());
    const std::uint32_t first = rowCount();
    m_positions.insert(m_positions.end(), positions.begin(), positions.end());
    m_roles.insert(m_roles.end(), roles.begin(), roles.end());
    if (!positions.empty())
        m_nextPosition = positions.back() + 1;
    return first;
}

void KvStore::appendKv(std::uint32_t layer, std::span<const float> keys,
                       std::span<const float> values, std::span<const std::uint32_t> rows,
                       Backend& backend)
{
    const std::size_t headDim = m_shape.headDim;
    const std::size_t stride = m_shape.kvHeads * headDim;
    backend.parallelFor(m_shape.kvHeads, 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t head = begin; head < end; ++head) {
            list(layer, static_cast<std::uint32_t>(head))
                .append(m_working, keys.subspan(head * headDim), values.subspan(head * headDim),
                        stride, headDim, rows);
        }
    });
}

const KvList& KvStore::list(std::uint32_t layer, std::uint32_t head) const
{
    return m_lists[std::size_t{layer} * m_shape.kvHeads + head];
}

KvList& KvStore::list(std::uint32_t layer, std::uint32_t head)
{
    return m_lists[std::size_t{layer} * m_shape.kvHeads + head];
}

void KvStore::views(std::uint32_t layer, std::vector<kernels::KvListView>& lists)
{
    lists.resize(m_shape.kvHeads);
    for (std::uint32_t head = 0; head < m_shape.kvHeads; ++head) {
        KvList& each = list(layer, head);
        lists[head] = {each.views(), each.length()};
    }
}

void KvStore::views(std::span<const std::uint32_t> keyLayers,
                    std::span<const std::uint32_t> valueLayers, LayerViews& storage) const
{
    storage.pages.resize(m_shape.kvHeads);
    storage.lists.resize(m_shape.kvHeads);
    std::vector<kernels::KvPageView> keys;
    for (std::uint32_t head = 0; head < m_shape.kvHeads; ++head) {
        std::vector<kernels::KvPageView>& pages = storage.pages[head];
        const KvList& values = list(valueLayers[head], head);
        values.views(pages);
        list(keyLayers[head], head).views(keys);
        assert(keys.size() == pages.size());
        for (std::size_t page = 0; page < pages.size(); ++page) {
            assert(keys[page].type == pages[page].type && keys[page].rows == pages[page].rows);
            pages[page].keys = keys[page].keys;
        }
        storage.lists[head] = {pages, values.length()};
    }
}

bool KvStore::holdsAllRows() const
{
    return std::ranges::all_of(m_lists,
                               [&](const KvList& list) { return list.length() == rowCount(); });
}

KvStore::Mark KvStore::mark() const
{
    Mark mark{rowCount(), m_nextPosition, {}};
    mark.lengths.reserve(m_lists.size());
    for (const KvList& each : m_lists)
        mark.lengths.push_back(each.length());
    return mark;
}

void KvStore::truncate(const Mark& mark)
{
    assert(mark.lengths.size() == m_lists.size() && mark.rows <= rowCount());
    for (std::size_t i = 0; i < m_lists.size(); ++i)
        m_lists[i].truncate(mark.lengths[i]);
    m_positions.resize(mark.rows);
    m_roles.resize(mark.rows);
    m_nextPosition = mark.nextPosition;
}

void KvStore::truncateLayer(std::uint32_t layer, const Mark& mark)
{
    assert(mark.lengths.size() == m_lists.size());
    const std::size_t first = std::size_t{layer} * m_shape.kvHeads;
    for (std::size_t i = first; i < first + m_shape.kvHeads; ++i)
        m_lists[i].truncate(mark.lengths[i]);
}

void KvStore::pack(kernels::KvType type, Backend& backend)
{
    backend.parallelFor(m_lists.size(), 1, [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
            m_lists[i].pack(type, m_shape.headDim);
    });
    m_positions.shrink_to_fit();
    m_roles.shrink_to_fit();
}

std::size_t KvStore::bytes() const
{
    std::size_t total = m_lists.capacity() * sizeof(KvList) +
                        m_positions.capacity() * sizeof(std::int32_t) +
                        m_roles.capacity() * sizeof(Role);
    for (const KvList& each : m_lists)
        total += each.bytes();
    return total;
}

void KvStore::spreadRows(std::span<const std::uint32_t> newRows, std::uint32_t total)
{
    assert(newRows.size() == rowCount() && rowCount() <= total);
    std::vector<std::int32_t> positions(total);
    std::vector<Role> roles(total, Role::Document);
    std::size_t next = 0;
    for (std::uint32_t row = 0; row < total; ++row) {
        if (next < newRows.size() && newRows[next] == row) {
            positions[row] = m_positions[next];
            roles[row] = m_roles[next++];
        } else if (row > 0) {
            positions[row] = positions[row - 1];
        }
    }
    relabel(std::move(positions), std::move(roles), m_nextPosition, newRows);
}

void KvStore::adoptRows(std::vector<std::int32_t> positions, std::vector<Role> roles,
                        std::int32_t nextPosition)
{
    assert(rowCount() == 0 && positions.size() == roles.size());
    m_positions = std::move(positions);
    m_roles = std::move(roles);
    m_nextPosition = nextPosition;
}

void KvStore::relabel(std::vector<std::int32_t> positions, std::vector<Role> roles,
                      std::int32_t nextPosition, std::span<const std::uint32_t> entries)
{
    assert(positions.size() == roles.size());
    for (KvList& each : m_lists)
        each.relabel(entries);
    m_positions = std::move(positions);
    m_roles = std::move(roles);
    m_nextPosition = nextPosition;
}

} // namespace engine
