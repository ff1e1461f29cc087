#pragma once

#include "app/library/records.h"
#include "app/store/database.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace app {

/// Prepared contexts: the tables of contexts.db. The contract is that of the functions of Library.
class ContextTable
{
public:
    explicit ContextTable(Database& database)
        : m_database(database)
    {}

    bool contains(RecordId id) const;

    void begin(RecordId id, const ContextRecord& record);
    void appendCheckpoint(RecordId id, std::size_t index, std::span<const std::byte> bytes);
    std::size_t checkpointCount(RecordId id) const;
    void
    checkpoints(RecordId id,
                const std::function<bool(std::size_t, std::span<const std::byte>)>& visit) const;
    void dropCheckpoints(RecordId id, std::size_t first);
    void writeSegment(RecordId id, std::size_t index, std::span<const std::byte> bytes);
    void finish(RecordId id, const ContextRecord& record);
    std::vector<std::byte> readSegment(RecordId id, std::size_t index) const;
    std::size_t segmentCount(RecordId id) const;
    void putBlob(RecordId id, std::string_view name, std::span<const std::byte> bytes);
    std::optional<std::vector<std::byte>> blob(RecordId id, std::string_view name) const;
    std::vector<ContextRecord> list(RecordId documentId) const;
    ContextRecord get(RecordId id) const;
    std::string verify(RecordId id);
    void remove(RecordId id);
    void removeOfDocument(RecordId documentId);
    /// Removes the contexts of documents that are not in `documents`: left by a removal that was
    /// interrupted between the two files.
    void removeOrphans(std::span<const RecordId> documents);

private:
    void requirePreparing(RecordId id) const;
    std::optional<std::vector<std::byte>> readCheckpoint(RecordId id, std::size_t index) const;
    void markDamaged(RecordId id, const std::string& damage);
    void removeRows(std::string_view condition, RecordId id);

    Database& m_database;
};

} // namespace app
