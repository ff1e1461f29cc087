#include "app/library/context_check.h"

#include "app/store/checksum.h"
#include "engine/error.h"

namespace app {

using engine::Error;
using engine::ErrorCode;

std::string damagedPartSentence(RecordId contextId, std::string_view part)
{
    return "The prepared context " + std::to_string(contextId) + " is damaged (" +
           std::string(part) + "): prepare its document again.";
}

std::vector<std::byte> readChecked(const Database& database, const char* table, RecordId row,
                                   RecordId contextId, std::size_t index, std::string_view name)
{
    const std::string part = name.empty() ? "segment " + std::to_string(index) : std::string(name);
    try {
        Statement statement = database.prepare("SELECT bytes, checksum FROM " + std::string(table) +
                                               " WHERE id = ?1");
        if (statement.bind(row).step()) {
            std::vector<std::byte> bytes = database.readBlob(table, "data", row);
            const Checksum expected = checksumOf(bytes, table, contextId, index, name);
            if (bytes.size() == statement.size(0) && equalBytes(statement.bytes(1), expected))
                return bytes;
        }
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Damaged)
            throw;
        throw Error(ErrorCode::Damaged, damagedPartSentence(contextId, part), error.detail());
    }
    throw Error(ErrorCode::Damaged, damagedPartSentence(contextId, part), "wrong checksum");
}

std::string findDamage(const Database& database, RecordId contextId, std::size_t segments)
{
    try {
        Statement segment =
            database.prepare("SELECT id, ordinal FROM segment WHERE context = ?1 ORDER BY ordinal");
        segment.bind(contextId);
        std::size_t expected = 0;
        for (; segment.step(); ++expected) {
            if (segment.size(1) != expected)
                break;
            readChecked(database, "segment", segment.integer(0), contextId, expected, {});
        }
        if (expected != segments)
            return damagedPartSentence(contextId,
                                       "segment " + std::to_string(expected) + " is missing");
        Statement blob =
            database.prepare("SELECT id, name FROM context_blob WHERE context = ?1 ORDER BY name");
        blob.bind(contextId);
        while (blob.step())
            readChecked(database, "context_blob", blob.integer(0), contextId, 0, blob.text(1));
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Damaged)
            throw;
        return error.what();
    }
    return {};
}

} // namespace app
