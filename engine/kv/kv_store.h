#pragma once

#include "engine/backend/backend.h"
#include "engine/kv/kv_list.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace engine {

struct RopeTable;

/// What a row was when it was read. Methods protect or drop by role.
enum class Role : std::uint8_t
{
    System,   // template head and system text: never dropped
    Document, // what is being kept
    Query,
    Generated,
    Probe, // rows of a scoring pass; always truncated away
    Beacon // stands for the text before it; no token of the text
};

/// Whether a row is a part of the document or stands for one.
constexpr bool isOfDocument(Role role)
{
    return role == Role::Document || role == Role::Beacon;
}

struct KvShape
{
    std::uint32_t layers = 0;
    std::uint32_t kvHeads = 0;
    std::uint32_t headDim = 0;
};

/// Keys and values of every (layer, KV head) in lists that may differ in length and may be empty,
/// and the table of rows that they came from. A row's `order` is its index in that table: it
/// decides causality. A row's `pos` is what RoPE saw. The length of a list is neither. Copying a
/// store copies no page: copies are snapshots that share pages until one of them writes.
class KvStore
{
public:
    KvStore(KvShape shape, kernels::KvType working);

    const KvShape& shape() const { return m_shape; }
    kernels::KvType workingType() const { return m_working; }

    /// Adds rows to the row table and returns the order of the first; next_pos follows the last
    /// one.
    std::uint32_t appendRows(std::span<const std::int32_t> positions, Role role);
    /// The same with a role for each row.
    std::uint32_t appendRows(std::span<const std::int32_t> positions, std::span<const Role> roles);

    /// Appends the keys and values of the given rows (ascending) to every head of a layer.
    /// keys, values: (rows.size(), kvHeads, headDim).
    void appendKv(std::uint32_t layer, std::span<const float> keys, std::span<const float> values,
                  std::span<const std::uint32_t> rows, Backend& backend);

    std::uint32_t rowCount() const { return static_cast<std::uint32_t>(m_positions.size()); }
    std::int32_t position(std::uint32_t row) const { return m_positions[row]; }
    Role role(std::uint32_t row) const { return m_roles[row]; }

    /// Whether every list has an entry for every row: nothing was dropped anywhere.
    bool holdsAllRows() const;

    const KvList& list(std::uint32_t layer, std::uint32_t head) const;
    KvList& list(std::uint32_t layer, std::uint32_t head);

    /// Views of all lists of a layer, until the store changes.
    void views(std::uint32_t layer, std::vector<kernels::KvListView>& lists);
    /// Views of lists that are no layer's own. They live as long as this and until the store
    /// changes.
    struct LayerViews
    {
        std::vector<std::vector<kernels::KvPageView>> pages;
        std::vector<kernels::KvListView> lists;
    };
    /// The same with keys from keyLayers[head] and values from valueLayers[head]. The two lists of
    /// a head have the same length and page types.
    void views(std::span<const std::uint32_t> keyLayers, std::span<const std::uint32_t> valueLayers,
               LayerViews& storage) const;

    /// Everything needed to undo appended rows, whatever the lists looked like.
    struct Mark
    {
        std::uint32_t rows = 0;
        std::int32_t nextPosition = 0;
        std::vector<std::uint32_t> lengths;
    };
    Mark mark() const;
    /// Drops everything appended since; nothing may have been dropped by keep() in between.
    void truncate(const Mark& mark);
    /// The same for the lists of one layer; the row table stays.
    void truncateLayer(std::uint32_t layer, const Mark& mark);

    /// The position that the next row gets: a field of its own, never derived from a length.
    std::int32_t nextPosition() const { return m_nextPosition; }
    void setNextPosition(std::int32_t position) { m_nextPosition = position; }
    /// After a row's keys were turned in every list.
    void setPosition(std::uint32_t row, std::int32_t position) { m_positions[row] = position; }

    /// How positions turn the keys of this store and the queries that meet them; null: as the
    /// model's file says. Belongs to the keys, so copies have the same.
    const std::shared_ptr<const RopeTable>& rope() const { return m_rope; }
    void setRope(std::shared_ptr<const RopeTable> rope) { m_rope = std::move(rope); }

    /// Stores every full page as `type`, list by list, and gives back what was held in reserve.
    void pack(kernels::KvType type, Backend& backend);

    /// What the store has asked the allocator for, all pages, lists and tables; not the RoPE table,
    /// which others hold, too. Copies that share pages each count them.
    std::size_t bytes() const;

    /// For a store whose rows are only some of a text's, all of them in every list: row i becomes
    /// row newRows[i] (ascending) of a table of `total` rows. Rows that are in no list get the
    /// position of the one before them.
    void spreadRows(std::span<const std::uint32_t> newRows, std::uint32_t total);

    /// For loading: takes the row table as it was stored.
    void adoptRows(std::vector<std::int32_t> positions, std::vector<Role> roles,
                   std::int32_t nextPosition);
    /// Another row table for the same entries: entry i of every list is now row entries[i]
    /// (ascending). All lists have entries.size() entries.
    void relabel(std::vector<std::int32_t> positions, std::vector<Role> roles,
                 std::int32_t nextPosition, std::span<const std::uint32_t> entries);
    /// Roles of all rows, once the caller knows where the prefix ends.
    void setRoles(std::vector<Role> roles) { m_roles = std::move(roles); }
    const std::vector<std::int32_t>& positions() const { return m_positions; }
    const std::vector<Role>& roles() const { return m_roles; }

private:
    KvShape m_shape;
    kernels::KvType m_working;
    std::vector<KvList> m_lists; // [layer][head]
    std::vector<std::int32_t> m_positions;
    std::vector<Role> m_roles;
    std::int32_t m_nextPosition = 0;
    std::shared_ptr<const RopeTable> m_rope;
};

} // namespace engine
