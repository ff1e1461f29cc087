#include "app/session/remote_prepare_storage.h"

namespace app {

std::filesystem::path RemotePrepareStorage::dataDirectory()
{
    return onLibrary([](PrepareStorage& storage) { return storage.dataDirectory(); });
}

RecordId RemotePrepareStorage::begin(const ContextRecord& record)
{
    return onLibrary([&](PrepareStorage& storage) { return storage.begin(record); });
}

void RemotePrepareStorage::checkpoints(RecordId context,
                                       const std::function<bool(std::span<const std::byte>)>& visit)
{
    // The caller waits meanwhile, so `visit` has the engine to itself although another thread calls
    // it.
    onLibrary([&](PrepareStorage& storage) { storage.checkpoints(context, visit); });
}

void RemotePrepareStorage::appendCheckpoint(RecordId context, std::size_t index,
                                            std::span<const std::byte> bytes)
{
    onLibrary([&](PrepareStorage& storage) { storage.appendCheckpoint(context, index, bytes); });
}

void RemotePrepareStorage::dropCheckpoints(RecordId context, std::size_t first)
{
    onLibrary([&](PrepareStorage& storage) { storage.dropCheckpoints(context, first); });
}

void RemotePrepareStorage::writeSegment(RecordId context, std::size_t index,
                                        std::span<const std::byte> bytes)
{
    onLibrary([&](PrepareStorage& storage) { storage.writeSegment(context, index, bytes); });
}

void RemotePrepareStorage::putBlob(RecordId context, std::string_view name,
                                   std::span<const std::byte> bytes)
{
    onLibrary([&](PrepareStorage& storage) { storage.putBlob(context, name, bytes); });
}

void RemotePrepareStorage::finish(RecordId context, const ContextRecord& record)
{
    onLibrary([&](PrepareStorage& storage) { storage.finish(context, record); });
}

} // namespace app
