#pragma once

#include "app/jobs/prepare_document.h"
#include "app/session/library_room.h"

namespace app {

/// PrepareStorage for the engine thread: each call is done on the library's thread and waited for,
/// so what it returns from is on the disk.
class RemotePrepareStorage final : public PrepareStorage
{
public:
    explicit RemotePrepareStorage(LibraryThread& library)
        : m_library(library)
    {}

    std::filesystem::path dataDirectory() override;
    RecordId begin(const ContextRecord& record) override;
    void checkpoints(RecordId context,
                     const std::function<bool(std::span<const std::byte>)>& visit) override;
    void appendCheckpoint(RecordId context, std::size_t index,
                          std::span<const std::byte> bytes) override;
    void dropCheckpoints(RecordId context, std::size_t first) override;
    void writeSegment(RecordId context, std::size_t index,
                      std::span<const std::byte> bytes) override;
    void putBlob(RecordId context, std::string_view name,
                 std::span<const std::byte> bytes) override;
    void finish(RecordId context, const ContextRecord& record) override;

private:
    /// Runs `work` with the ordinary storage on the library's thread.
    template <typename Work>
    auto onLibrary(const Work& work)
    {
        return m_library.call([&](Library& library) {
            LibraryPrepareStorage storage(library);
            return work(storage);
        });
    }

    LibraryThread& m_library;
};

} // namespace app
