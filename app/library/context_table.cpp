#include "app/library/context_table.h"

#include "app/library/context_check.h"
#include "app/library/record_io.h"
#include "app/store/checksum.h"
#include "engine/error.h"

#include <algorithm>

namespace app {
namespace {

using engine::Error;
using engine::ErrorCode;

constexpr std::size_t kCheckpointPieceBytes = 8U << 20U;
constexpr std::size_t kLargestSegmentBytes = 64U << 20U;

constexpr std::string_view kColumns =
    "id, document, model_name, model_path, model_hash, method, settings, keep, store_type, tokens, "
    "kept_fraction, bytes_full, bytes_stored, peak_bytes, seconds, segments, state, state_text, "
    "created_at";

ContextState stateFromStored(std::int64_t value)
{
    switch (value) {
    case static_cast<std::int64_t>(ContextState::Preparing):
        return ContextState::Preparing;
    case static_cast<std::int64_t>(ContextState::Ready):
        return ContextState::Ready;
    default:
        return ContextState::Damaged;
    }
}

ContextRecord readContext(const Statement& row)
{
    ContextRecord record;
    record.id = row.integer(0);
    record.documentId = row.integer(1);
    record.modelName = row.text(2);
    record.modelPath = pathFromBytes(row.bytes(3));
    record.modelHash = row.text(4);
    record.method = row.text(5);
    record.settings = row.text(6);
    record.keep = row.real(7);
    record.storeType = row.text(8);
    record.tokens = row.integer(9);
    record.keptFraction = row.real(10);
    record.bytesFull = row.integer(11);
    record.bytesStored = row.integer(12);
    record.peakBytes = row.integer(13);
    record.seconds = row.real(14);
    record.segments = row.size(15);
    record.state = stateFromStored(row.integer(16));
    record.stateText = row.text(17);
    record.createdAt = row.integer(18);
    return record;
}

std::string pieceName(std::size_t piece, std::size_t pieces)
{
    return std::to_string(piece) + "/" + std::to_string(pieces);
}

void checkSegmentSize(std::span<const std::byte> bytes)
{
    if (bytes.size() > kLargestSegmentBytes)
        throw Error(ErrorCode::TooLarge, "A segment of " + std::to_string(bytes.size() >> 20U) +
                                             " MiB cannot be stored: the limit is 64 MiB.");
}

} // namespace

bool ContextTable::contains(RecordId id) const
{
    return m_database.integer("SELECT 1 FROM context WHERE id = ?1", id).has_value();
}

void ContextTable::requirePreparing(RecordId id) const
{
    const ContextRecord record = get(id);
    if (record.state != ContextState::Preparing)
        throw Error(ErrorCode::BadInput,
                    "The prepared context " + std::to_string(id) +
                        " is finished and cannot be changed: prepare its document again instead.");
}

void ContextTable::begin(RecordId id, const ContextRecord& record)
{
    Transaction transaction(m_database);
    m_database.run("INSERT INTO context VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
                   "?13, ?14, ?15, 0, ?16, '', ?17)",
                   id, record.documentId, record.modelName, pathBytes(record.modelPath),
                   record.modelHash, record.method, record.settings, record.keep, record.storeType,
                   record.tokens, record.keptFraction, record.bytesFull, record.bytesStored,
                   record.peakBytes, record.seconds, ContextState::Preparing, now());
    transaction.commit();
}

void ContextTable::appendCheckpoint(RecordId id, std::size_t index,
                                    std::span<const std::byte> bytes)
{
    requirePreparing(id);
    const std::size_t pieces = bytes.size() / kCheckpointPieceBytes + 1;
    Transaction transaction(m_database);
    m_database.run("DELETE FROM checkpoint WHERE context = ?1 AND ordinal = ?2", id, index);
    Statement insert = m_database.prepare(
        "INSERT INTO checkpoint (context, ordinal, piece, pieces, checksum, data) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    for (std::size_t piece = 0; piece < pieces; ++piece) {
        const std::size_t begin = piece * kCheckpointPieceBytes;
        const auto part =
            bytes.subspan(begin, std::min(kCheckpointPieceBytes, bytes.size() - begin));
        insert
            .bind(id, index, piece, pieces,
                  checksumOf(part, "checkpoint", id, index, pieceName(piece, pieces)), part)
            .run();
    }
    transaction.commit();
}

std::size_t ContextTable::checkpointCount(RecordId id) const
{
    return static_cast<std::size_t>(
        m_database.integer("SELECT count(*) FROM checkpoint WHERE context = ?1 AND piece = 0", id)
            .value_or(0));
}

std::optional<std::vector<std::byte>> ContextTable::readCheckpoint(RecordId id,
                                                                   std::size_t index) const
{
    try {
        Statement row = m_database.prepare(
            "SELECT id, piece, pieces, checksum FROM checkpoint WHERE context = ?1 AND "
            "ordinal = ?2 ORDER BY piece");
        row.bind(id, index);
        std::vector<std::byte> bytes;
        std::size_t next = 0;
        std::size_t pieces = 1;
        for (; row.step(); ++next) {
            pieces = row.size(2);
            const auto part = m_database.readBlob("checkpoint", "data", row.integer(0));
            const Checksum expected =
                checksumOf(part, "checkpoint", id, index, pieceName(next, pieces));
            if (row.size(1) != next || !equalBytes(row.bytes(3), expected))
                return std::nullopt;
            bytes.insert(bytes.end(), part.begin(), part.end());
        }
        if (next == pieces)
            return bytes;
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Damaged)
            throw;
    }
    return std::nullopt;
}

void ContextTable::checkpoints(
    RecordId id, const std::function<bool(std::size_t, std::span<const std::byte>)>& visit) const
{
    for (std::size_t index = 0;; ++index) {
        const auto bytes = readCheckpoint(id, index);
        if (!bytes || !visit(index, *bytes))
            return;
    }
}

void ContextTable::dropCheckpoints(RecordId id, std::size_t first)
{
    requirePreparing(id);
    Transaction transaction(m_database);
    m_database.run("DELETE FROM checkpoint WHERE context = ?1 AND ordinal >= ?2", id, first);
    transaction.commit();
}

void ContextTable::writeSegment(RecordId id, std::size_t index, std::span<const std::byte> bytes)
{
    requirePreparing(id);
    checkSegmentSize(bytes);
    Transaction transaction(m_database);
    m_database.run("INSERT OR REPLACE INTO segment (context, ordinal, bytes, checksum, data) "
                   "VALUES (?1, ?2, ?3, ?4, ?5)",
                   id, index, bytes.size(), checksumOf(bytes, "segment", id, index), bytes);
    transaction.commit();
}

void ContextTable::finish(RecordId id, const ContextRecord& record)
{
    requirePreparing(id);
    const std::size_t segments = segmentCount(id);
    if (const std::string damage = findDamage(m_database, id, segments); !damage.empty())
        throw Error(ErrorCode::Damaged, damage);

    Transaction transaction(m_database);
    m_database.run("DELETE FROM checkpoint WHERE context = ?1", id);
    m_database.run(
        "UPDATE context SET model_name = ?2, model_path = ?3, model_hash = ?4, method = ?5, "
        "settings = ?6, keep = ?7, store_type = ?8, tokens = ?9, kept_fraction = ?10, "
        "bytes_full = ?11, peak_bytes = ?12, seconds = ?13, segments = ?14, state = ?15, "
        "bytes_stored = (SELECT total(bytes) FROM segment WHERE context = ?1) + "
        "(SELECT total(bytes) FROM context_blob WHERE context = ?1) WHERE id = ?1",
        id, record.modelName, pathBytes(record.modelPath), record.modelHash, record.method,
        record.settings, record.keep, record.storeType, record.tokens, record.keptFraction,
        record.bytesFull, record.peakBytes, record.seconds, segments, ContextState::Ready);
    transaction.commit();
}

std::vector<std::byte> ContextTable::readSegment(RecordId id, std::size_t index) const
{
    const auto row =
        m_database.integer("SELECT id FROM segment WHERE context = ?1 AND ordinal = ?2", id, index);
    if (!row) {
        get(id); // a context that does not exist is another mistake than a missing segment
        throw Error(ErrorCode::Damaged,
                    damagedPartSentence(id, "segment " + std::to_string(index) + " is missing"));
    }
    return readChecked(m_database, "segment", *row, id, index, {});
}

std::size_t ContextTable::segmentCount(RecordId id) const
{
    return static_cast<std::size_t>(
        m_database.integer("SELECT count(*) FROM segment WHERE context = ?1", id).value_or(0));
}

void ContextTable::putBlob(RecordId id, std::string_view name, std::span<const std::byte> bytes)
{
    requirePreparing(id);
    checkSegmentSize(bytes);
    Transaction transaction(m_database);
    m_database.run("INSERT OR REPLACE INTO context_blob (context, name, bytes, checksum, data) "
                   "VALUES (?1, ?2, ?3, ?4, ?5)",
                   id, name, bytes.size(), checksumOf(bytes, "context_blob", id, 0, name), bytes);
    transaction.commit();
}

std::optional<std::vector<std::byte>> ContextTable::blob(RecordId id, std::string_view name) const
{
    const auto row = m_database.integer(
        "SELECT id FROM context_blob WHERE context = ?1 AND name = ?2", id, name);
    if (!row)
        return std::nullopt;
    return readChecked(m_database, "context_blob", *row, id, 0, name);
}

std::vector<ContextRecord> ContextTable::list(RecordId documentId) const
{
    Statement row =
        m_database.prepare("SELECT " + std::string(kColumns) +
                           " FROM context WHERE ?1 = 0 OR document = ?1 ORDER BY id DESC");
    row.bind(documentId);
    std::vector<ContextRecord> records;
    while (row.step())
        records.push_back(readContext(row));
    return records;
}

ContextRecord ContextTable::get(RecordId id) const
{
    Statement row =
        m_database.prepare("SELECT " + std::string(kColumns) + " FROM context WHERE id = ?1");
    if (!row.bind(id).step())
        throwNoSuchRecord("prepared context", id);
    return readContext(row);
}

std::string ContextTable::verify(RecordId id)
{
    std::string damage;
    try {
        const ContextRecord record = get(id);
        const bool preparing = record.state == ContextState::Preparing;
        damage = findDamage(m_database, id, preparing ? segmentCount(id) : record.segments);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Damaged)
            throw;
        damage = damagedPartSentence(id, "its entry cannot be read");
    }
    if (!damage.empty() && !m_database.readOnly())
        markDamaged(id, damage);
    return damage;
}

void ContextTable::markDamaged(RecordId id, const std::string& damage)
{
    try {
        Transaction transaction(m_database);
        m_database.run("UPDATE context SET state = ?2, state_text = ?3 WHERE id = ?1", id,
                       ContextState::Damaged, damage);
        transaction.commit();
    } catch (const Error& error) {
        // The row itself may lie on a damaged page; the sentence is worth more than the mark.
        if (error.code() != ErrorCode::Damaged)
            throw;
    }
}

void ContextTable::remove(RecordId id)
{
    get(id);
    removeRows("id = ?1", id);
}

void ContextTable::removeOfDocument(RecordId documentId)
{
    removeRows("document = ?1", documentId);
}

void ContextTable::removeOrphans(std::span<const RecordId> documents)
{
    for (const ContextRecord& record : list(0))
        if (std::ranges::find(documents, record.documentId) == documents.end())
            removeRows("id = ?1", record.id);
}

void ContextTable::removeRows(std::string_view condition, RecordId id)
{
    Transaction transaction(m_database);
    m_database.run("DELETE FROM context WHERE " + std::string(condition), id);
    transaction.commit();
}

} // namespace app
