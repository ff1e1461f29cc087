#pragma once

#include "app/library/records.h"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace app {

enum class OpenMode
{
    ReadWrite,
    ReadOnly
};

struct LibraryOptions
{
    /// Size of the file that is given up when the disk is full, so that deleting still works.
    std::int64_t reserveBytes = 32LL << 20;
    /// Copies of library.db under backups/: one a day at most, so many are kept. 0 makes none.
    int dailyCopies = 7;
    /// Name of the SQLite VFS, empty for the system's own. For tests that make the disk fail.
    std::string vfs = {};
};

/// $XDG_DATA_HOME/epitome, or ~/.local/share/epitome.
std::filesystem::path defaultDataDirectory();

/// Everything the program remembers, in one directory: documents, contexts, conversations, jobs
/// and settings. What a function that writes has returned from is on the disk and survives both
/// kill -9 and a power cut.
///
/// A Library is used by one thread at a time. One process may write: it holds a lock on the
/// directory until the Library is destroyed. Reading (OpenMode::ReadOnly) needs no lock.
///
/// Every function may throw engine::Error: NotFound for an id that does not exist, ReadOnly for
/// writing in a library opened for reading, DiskFull, Damaged, InUse when the files are busy.
/// A function that throws has changed nothing.
class Library
{
public:
    /// Opens the library in `dataDir`, which is created if needed (ReadWrite). A directory that
    /// cannot be written, or files of a newer program, open for reading only; notice() says so.
    /// Errors: InUse (another process writes), Damaged, NotFound (ReadOnly and nothing there).
    static std::unique_ptr<Library> open(const std::filesystem::path& dataDir,
                                         OpenMode mode = OpenMode::ReadWrite,
                                         const LibraryOptions& options = {});
    ~Library();
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    const std::filesystem::path& dataDirectory() const;
    bool readOnly() const;
    /// What the user should know about how the library was opened, in sentences; often empty.
    const std::string& notice() const;
    RecordKind kindOf(RecordId id) const;

    // Documents

    /// Stores a document. One that is there already, by the bytes of its file or by its text, is
    /// not added again. An interrupted import leaves nothing behind.
    AddResult addDocument(const ImportedDocument& document, const std::filesystem::path& path);
    std::vector<DocumentRecord> documents() const; // newest first
    DocumentRecord document(RecordId id) const;
    /// The whole text in UTF-8; all byte offsets in this interface refer to it.
    std::string text(RecordId documentId) const;
    std::vector<PageRecord> pages(RecordId documentId) const;
    /// Boxes come back rounded to 1/64 point.
    std::vector<ImportedWord> words(RecordId documentId, std::size_t pageIndex) const;
    /// Page that holds the byte at `offset`; past the end of the text it is the last page.
    PageRecord pageOfByte(RecordId documentId, std::size_t offset) const;
    void renameDocument(RecordId id, const std::string& title);
    /// Removes it with its contexts, conversations and jobs, from every file in the directory.
    void removeDocument(RecordId id);
    /// Pages that hold all words of `query`, best first. Anything may be typed: it is read as
    /// words, and "several words" in quotes as a phrase. `documentId` 0 searches all documents.
    std::vector<SearchHit> search(std::string_view query, RecordId documentId = 0,
                                  std::size_t limit = 50) const;

    // Contexts: begin -> any number of checkpoints -> segments and blobs -> finish

    RecordId beginContext(const ContextRecord& record);
    /// Adds checkpoint `index` (0, 1, ...), or replaces it. On the disk when it returns.
    void appendCheckpoint(RecordId contextId, std::size_t index, std::span<const std::byte> bytes);
    std::size_t checkpointCount(RecordId contextId) const;
    /// Calls `visit` with the checkpoints in ascending order, until it returns false. Stops before
    /// the first missing or damaged one: what comes later cannot be used without it.
    void checkpoints(RecordId contextId,
                     const std::function<bool(std::size_t index, std::span<const std::byte> bytes)>&
                         visit) const;
    /// Forgets checkpoints with an index >= `first`.
    void dropCheckpoints(RecordId contextId, std::size_t first = 0);
    /// Writes segment `index` (0, 1, ...; 1 to 8 MiB is best, 64 MiB the limit), or replaces it.
    void writeSegment(RecordId contextId, std::size_t index, std::span<const std::byte> bytes);
    /// Reads every segment and blob again, and only if all are there and good drops the
    /// checkpoints and makes the context Ready, in one transaction. The facts are taken from
    /// `record` (id, document, state and time of creation are not). Errors: Damaged.
    void finishContext(RecordId contextId, const ContextRecord& record);
    /// Errors: Damaged when the bytes do not have their checksum.
    std::vector<std::byte> readSegment(RecordId contextId, std::size_t index) const;
    std::size_t segmentCount(RecordId contextId) const;
    /// Small named pieces: method state, retention map, statistics, identity.
    void putContextBlob(RecordId contextId, std::string_view name,
                        std::span<const std::byte> bytes);
    /// Empty optional when there is none of that name. Errors: Damaged.
    std::optional<std::vector<std::byte>> contextBlob(RecordId contextId,
                                                      std::string_view name) const;
    std::vector<ContextRecord> contexts(RecordId documentId = 0) const; // 0: of all; newest first
    ContextRecord context(RecordId id) const;
    /// Checks every segment and blob; a bad one makes the context Damaged (unless readOnly()).
    /// Returns an empty string, or the sentence that says what is wrong.
    std::string verifyContext(RecordId id);
    void removeContext(RecordId id);

    // Conversations

    RecordId startConversation(RecordId documentId, RecordId contextId);
    /// On the disk when it returns. `message.id` and `createdAt` are ignored.
    RecordId appendMessage(const MessageRecord& message);
    /// Replaces the text of an answer that is being written.
    void updateMessageText(RecordId messageId, std::string_view text);
    /// Writes text, status, facts and citations of `message.id`.
    void finishMessage(const MessageRecord& message);
    std::vector<ConversationRecord> conversations(RecordId documentId = 0) const; // latest first
    ConversationRecord conversation(RecordId id) const;
    std::vector<MessageRecord> messages(RecordId conversationId) const; // parents before children
    void renameConversation(RecordId id, const std::string& title);
    void removeConversation(RecordId id);

    // Jobs. A job that was running when the program ended is waiting after the next open.

    RecordId enqueueJob(const JobRecord& job);
    void updateJob(const JobRecord& job); // state, progress, error, document and context
    std::vector<JobRecord> jobs() const;  // oldest first
    std::vector<JobRecord> unfinishedJobs() const;
    void removeJob(RecordId id);

    // Settings

    std::optional<std::string> setting(std::string_view key) const;
    void setSetting(std::string_view key, std::string_view value);

private:
    struct State;
    explicit Library(std::unique_ptr<State> state);

    std::unique_ptr<State> m_state;
};

} // namespace app
