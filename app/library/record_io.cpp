#include "app/library/record_io.h"

#include "engine/error.h"

#include <chrono>
#include <limits>

namespace app {

RecordId nextRecordId(Database& library)
{
    Statement statement =
        library.prepare("UPDATE bookkeeping SET last_id = last_id + 1 RETURNING last_id");
    if (!statement.step())
        throw engine::Error(engine::ErrorCode::Damaged,
                            "The library is damaged: restore \"" + library.file().string() +
                                "\" from a copy in the folder \"backups\" beside it.",
                            "bookkeeping has no row");
    const RecordId id = statement.integer(0);
    statement.run();
    return id;
}

Timestamp now()
{
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

void throwNoSuchRecord(std::string_view what, RecordId id)
{
    throw engine::Error(engine::ErrorCode::NotFound,
                        "There is no " + std::string(what) + " " + std::to_string(id) +
                            " in the library; it may have been removed. The list of " +
                            std::string(what) + "s shows what there is.");
}

std::span<const std::byte> pathBytes(const std::filesystem::path& path)
{
    return std::as_bytes(std::span(path.native()));
}

ByteRange readRange(const Statement& row, int first)
{
    const std::size_t begin = row.size(first);
    const std::size_t end = row.size(first + 1);
    if (begin > end || end > std::numeric_limits<std::uint32_t>::max())
        throw engine::Error(engine::ErrorCode::Damaged,
                            "The library is damaged: a range of text is impossible. Close the "
                            "program and restore the newest copy from the folder \"backups\".");
    return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
}

std::filesystem::path pathFromBytes(std::span<const std::byte> bytes)
{
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

} // namespace app
