#include "app/library/library.h"

#include "app/library/document_search.h"
#include "app/library/library_state.h"
#include "app/library/record_io.h"

#include <utility>

namespace app {

Library::Library(std::unique_ptr<State> state)
    : m_state(std::move(state))
{}

Library::~Library() = default;

std::unique_ptr<Library> Library::open(const std::filesystem::path& dataDir, OpenMode mode,
                                       const LibraryOptions& options)
{
    auto state = std::make_unique<State>(dataDir, mode, options);
    if (!state->files.readOnly)
        state->cleanUpAfterLastRun();
    return std::unique_ptr<Library>(new Library(std::move(state)));
}

const std::filesystem::path& Library::dataDirectory() const
{
    return m_state->dataDir;
}

bool Library::readOnly() const
{
    return m_state->files.readOnly;
}

const std::string& Library::notice() const
{
    return m_state->files.notice;
}

RecordKind Library::kindOf(RecordId id) const
{
    if (m_state->documents.contains(id))
        return RecordKind::Document;
    if (m_state->contexts.contains(id))
        return RecordKind::Context;
    if (m_state->conversations.contains(id))
        return RecordKind::Conversation;
    if (m_state->conversations.containsMessage(id))
        return RecordKind::Message;
    return m_state->jobs.contains(id) ? RecordKind::Job : RecordKind::None;
}

// Documents

AddResult Library::addDocument(const ImportedDocument& document, const std::filesystem::path& path)
{
    return m_state->documents.add(document, path);
}

std::vector<DocumentRecord> Library::documents() const
{
    return m_state->documents.list();
}

DocumentRecord Library::document(RecordId id) const
{
    return m_state->documents.get(id);
}

std::string Library::text(RecordId documentId) const
{
    return m_state->documents.text(documentId);
}

std::vector<PageRecord> Library::pages(RecordId documentId) const
{
    return m_state->documents.pages(documentId);
}

std::vector<ImportedWord> Library::words(RecordId documentId, std::size_t pageIndex) const
{
    return m_state->documents.words(documentId, pageIndex);
}

PageRecord Library::pageOfByte(RecordId documentId, std::size_t offset) const
{
    return m_state->documents.pageOfByte(documentId, offset);
}

void Library::renameDocument(RecordId id, const std::string& title)
{
    m_state->documents.rename(id, title);
}

void Library::removeDocument(RecordId id)
{
    m_state->documents.require(id);
    m_state->removeWith([&] {
        // If the program ends in between, the next start removes the contexts as orphans.
        if (m_state->documents.contains(id))
            m_state->documents.remove(id);
        m_state->contexts.removeOfDocument(id);
    });
}

std::vector<SearchHit> Library::search(std::string_view query, RecordId documentId,
                                       std::size_t limit) const
{
    return searchPages(*m_state->files.library, query, documentId, limit);
}

// Contexts

RecordId Library::beginContext(const ContextRecord& record)
{
    m_state->documents.require(record.documentId);
    RecordId id = 0;
    {
        Transaction transaction(*m_state->files.library);
        id = nextRecordId(*m_state->files.library);
        transaction.commit();
    }
    m_state->contexts.begin(id, record);
    return id;
}

void Library::appendCheckpoint(RecordId contextId, std::size_t index,
                               std::span<const std::byte> bytes)
{
    m_state->contexts.appendCheckpoint(contextId, index, bytes);
}

std::size_t Library::checkpointCount(RecordId contextId) const
{
    return m_state->contexts.checkpointCount(contextId);
}

void Library::checkpoints(
    RecordId contextId,
    const std::function<bool(std::size_t index, std::span<const std::byte> bytes)>& visit) const
{
    m_state->contexts.checkpoints(contextId, visit);
}

void Library::dropCheckpoints(RecordId contextId, std::size_t first)
{
    m_state->contexts.dropCheckpoints(contextId, first);
}

void Library::writeSegment(RecordId contextId, std::size_t index, std::span<const std::byte> bytes)
{
    m_state->contexts.writeSegment(contextId, index, bytes);
}

void Library::finishContext(RecordId contextId, const ContextRecord& record)
{
    m_state->contexts.finish(contextId, record);
    m_state->shrinkContextsIfPossible(); // gives back the space of the checkpoints
}

std::vector<std::byte> Library::readSegment(RecordId contextId, std::size_t index) const
{
    return m_state->contexts.readSegment(contextId, index);
}

std::size_t Library::segmentCount(RecordId contextId) const
{
    return m_state->contexts.segmentCount(contextId);
}

void Library::putContextBlob(RecordId contextId, std::string_view name,
                             std::span<const std::byte> bytes)
{
    m_state->contexts.putBlob(contextId, name, bytes);
}

std::optional<std::vector<std::byte>> Library::contextBlob(RecordId contextId,
                                                           std::string_view name) const
{
    return m_state->contexts.blob(contextId, name);
}

std::vector<ContextRecord> Library::contexts(RecordId documentId) const
{
    return m_state->contexts.list(documentId);
}

ContextRecord Library::context(RecordId id) const
{
    return m_state->contexts.get(id);
}

std::string Library::verifyContext(RecordId id)
{
    return m_state->contexts.verify(id);
}

void Library::removeContext(RecordId id)
{
    m_state->removeWith([&] { m_state->contexts.remove(id); });
}

// Conversations

RecordId Library::startConversation(RecordId documentId, RecordId contextId)
{
    m_state->documents.require(documentId);
    return m_state->conversations.start(documentId, contextId);
}

RecordId Library::appendMessage(const MessageRecord& message)
{
    return m_state->conversations.appendMessage(message);
}

void Library::updateMessageText(RecordId messageId, std::string_view text)
{
    m_state->conversations.updateMessageText(messageId, text);
}

void Library::finishMessage(const MessageRecord& message)
{
    m_state->conversations.finishMessage(message);
}

std::vector<ConversationRecord> Library::conversations(RecordId documentId) const
{
    return m_state->conversations.list(documentId);
}

ConversationRecord Library::conversation(RecordId id) const
{
    return m_state->conversations.get(id);
}

std::vector<MessageRecord> Library::messages(RecordId conversationId) const
{
    return m_state->conversations.messages(conversationId);
}

void Library::renameConversation(RecordId id, const std::string& title)
{
    m_state->conversations.rename(id, title);
}

void Library::removeConversation(RecordId id)
{
    m_state->removeWith([&] { m_state->conversations.remove(id); });
}

// Jobs and settings

RecordId Library::enqueueJob(const JobRecord& job)
{
    return m_state->jobs.enqueue(job);
}

void Library::updateJob(const JobRecord& job)
{
    m_state->jobs.update(job);
}

std::vector<JobRecord> Library::jobs() const
{
    return m_state->jobs.list();
}

std::vector<JobRecord> Library::unfinishedJobs() const
{
    return m_state->jobs.unfinished();
}

void Library::removeJob(RecordId id)
{
    m_state->removeWith([&] { m_state->jobs.remove(id); });
}

std::optional<std::string> Library::setting(std::string_view key) const
{
    return readSetting(*m_state->files.library, key);
}

void Library::setSetting(std::string_view key, std::string_view value)
{
    writeSetting(*m_state->files.library, key, value);
}

} // namespace app
