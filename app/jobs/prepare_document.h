#pragma once

#include "app/library/library.h"
#include "engine/engine.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace app {

struct PrepareStatus
{
    engine::PrepareProgress progress;
    double elapsedSeconds = 0;
    double remainingSeconds = -1; // below 0 while it cannot be told yet
    bool resumed = false;         // earlier blocks were taken from checkpoints
};

/// Where a preparation's finished blocks go and come from. Each call returns when the bytes are
/// safe, so that a kill at any moment loses at most the block under way.
class PrepareStorage
{
public:
    virtual ~PrepareStorage() = default;

    /// Where the program's files are.
    virtual std::filesystem::path dataDirectory() = 0;

    /// Begins a context, or takes up an unfinished one with equal record facts.
    virtual RecordId begin(const ContextRecord& record) = 0;
    virtual void checkpoints(RecordId context,
                             const std::function<bool(std::span<const std::byte>)>& visit) = 0;
    virtual void appendCheckpoint(RecordId context, std::size_t index,
                                  std::span<const std::byte> bytes) = 0;
    virtual void dropCheckpoints(RecordId context, std::size_t first) = 0;
    virtual void writeSegment(RecordId context, std::size_t index,
                              std::span<const std::byte> bytes) = 0;
    virtual void putBlob(RecordId context, std::string_view name,
                         std::span<const std::byte> bytes) = 0;
    virtual void finish(RecordId context, const ContextRecord& record) = 0;
};

/// PrepareStorage on a library that is used by the calling thread.
class LibraryPrepareStorage final : public PrepareStorage
{
public:
    explicit LibraryPrepareStorage(Library& library)
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
    Library& m_library;
};

struct PreparedDocument
{
    RecordId contextId = 0;
    ContextRecord record;
    std::shared_ptr<const engine::Context> context;
    std::vector<std::string> warnings; // of the method, as sentences
    /// Of a method with a bias table: when the one that was used had been measured, in milliseconds
    /// since 1970; and whether this preparation measured one that later ones use.
    std::optional<std::int64_t> biasTableFrom;
    bool keptBiasTable = false;
};

/// Reads a document with a model, block by block, and stores what the method keeps. Blocks that an
/// earlier run with the same model, text and options has finished are not done again; the result is
/// the same bit for bit. Ready only after every segment was committed and read back. Throws
/// engine::Error; Cancelled leaves the finished blocks for the next time.
PreparedDocument prepareDocument(PrepareStorage& storage, RecordId documentId,
                                 const std::string& text,
                                 const std::shared_ptr<engine::LoadedModel>& model,
                                 const engine::PrepareOptions& options,
                                 const std::function<void(const PrepareStatus&)>& onProgress,
                                 const std::stop_token& stop);

} // namespace app
