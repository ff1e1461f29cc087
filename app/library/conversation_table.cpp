#include "app/library/conversation_table.h"

#include "app/library/record_io.h"
#include "engine/error.h"

#include <map>

namespace app {
namespace {

constexpr std::size_t kTitleBytes = 80;

constexpr std::string_view kListSql =
    "SELECT id, document, context, title, "
    "(SELECT count(*) FROM message WHERE conversation = conversation_.id), created_at, changed_at "
    "FROM conversation AS conversation_ ";

/// The first line of the first question, cut between two characters.
std::string titleFrom(std::string_view text)
{
    std::string_view line = text.substr(0, text.find_first_of("\r\n"));
    if (line.size() <= kTitleBytes)
        return std::string(line);
    std::size_t end = kTitleBytes;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U)
        --end;
    return std::string(line.substr(0, end)) + "\u2026";
}

ConversationRecord readConversation(const Statement& row)
{
    return {.id = row.integer(0),
            .documentId = row.integer(1),
            .contextId = row.integer(2),
            .title = row.text(3),
            .messages = row.size(4),
            .createdAt = row.integer(5),
            .changedAt = row.integer(6)};
}

MessageRole roleFromStored(std::int64_t value)
{
    switch (value) {
    case static_cast<std::int64_t>(MessageRole::Assistant):
        return MessageRole::Assistant;
    case static_cast<std::int64_t>(MessageRole::System):
        return MessageRole::System;
    default:
        return MessageRole::User;
    }
}

MessageStatus statusFromStored(std::int64_t value)
{
    switch (value) {
    case static_cast<std::int64_t>(MessageStatus::Complete):
        return MessageStatus::Complete;
    case static_cast<std::int64_t>(MessageStatus::Partial):
        return MessageStatus::Partial;
    default:
        return MessageStatus::Failed;
    }
}

MessageRecord readMessage(const Statement& row)
{
    MessageRecord message;
    message.id = row.integer(0);
    message.conversationId = row.integer(1);
    message.parentId = row.integer(2);
    message.role = roleFromStored(row.integer(3));
    message.status = statusFromStored(row.integer(4));
    message.createdAt = row.integer(5);
    message.facts = {.tokensInContext = row.integer(6),
                     .tokensReread = row.integer(7),
                     .tokensGenerated = row.integer(8),
                     .firstTokenSeconds = row.real(9),
                     .tokensPerSecond = row.real(10),
                     .keptFraction = row.real(11),
                     .device = row.text(12)};
    message.text = row.text(13);
    return message;
}

} // namespace

bool ConversationTable::contains(RecordId id) const
{
    return m_database.integer("SELECT 1 FROM conversation WHERE id = ?1", id).has_value();
}

bool ConversationTable::containsMessage(RecordId id) const
{
    return m_database.integer("SELECT 1 FROM message WHERE id = ?1", id).has_value();
}

void ConversationTable::require(RecordId id) const
{
    if (!contains(id))
        throwNoSuchRecord("conversation", id);
}

RecordId ConversationTable::start(RecordId documentId, RecordId contextId)
{
    Transaction transaction(m_database);
    const RecordId id = nextRecordId(m_database);
    m_database.run("INSERT INTO conversation VALUES (?1, ?2, ?3, '', ?4, ?4)", id, documentId,
                   contextId, now());
    transaction.commit();
    return id;
}

RecordId ConversationTable::appendMessage(const MessageRecord& message)
{
    require(message.conversationId);
    if (message.parentId != 0 &&
        m_database.integer("SELECT conversation FROM message WHERE id = ?1", message.parentId) !=
            message.conversationId)
        throw engine::Error(engine::ErrorCode::BadInput,
                            "Message " + std::to_string(message.parentId) +
                                " does not belong to conversation " +
                                std::to_string(message.conversationId) + ".");

    const AnswerFacts& facts = message.facts;
    Transaction transaction(m_database);
    const RecordId id = nextRecordId(m_database);
    const Timestamp time = now();
    m_database.run("INSERT INTO message VALUES (?1, ?2, nullif(?3, 0), ?4, ?5, ?6, ?7, ?8, ?9, "
                   "?10, ?11, ?12, ?13, ?14)",
                   id, message.conversationId, message.parentId, message.role, message.status, time,
                   facts.tokensInContext, facts.tokensReread, facts.tokensGenerated,
                   facts.firstTokenSeconds, facts.tokensPerSecond, facts.keptFraction, facts.device,
                   message.text);
    insertCitations(message, id);
    m_database.run("UPDATE conversation SET changed_at = ?2 WHERE id = ?1", message.conversationId,
                   time);
    if (message.role == MessageRole::User)
        m_database.run("UPDATE conversation SET title = ?2 WHERE id = ?1 AND title = ''",
                       message.conversationId, titleFrom(message.text));
    transaction.commit();
    return id;
}

void ConversationTable::insertCitations(const MessageRecord& message, RecordId id)
{
    Statement insert =
        m_database.prepare("INSERT INTO citation VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    std::size_t ordinal = 0;
    for (const CitationRecord& citation : message.citations)
        insert
            .bind(id, ordinal++, citation.pageIndex, citation.pageLabel, citation.range.begin,
                  citation.range.end, citation.quote)
            .run();
}

void ConversationTable::updateMessageText(RecordId messageId, std::string_view text)
{
    Transaction transaction(m_database);
    m_database.run("UPDATE message SET text = ?2 WHERE id = ?1", messageId, text);
    if (m_database.changes() == 0)
        throwNoSuchRecord("message", messageId);
    transaction.commit();
}

void ConversationTable::finishMessage(const MessageRecord& message)
{
    const AnswerFacts& facts = message.facts;
    Transaction transaction(m_database);
    m_database.run("UPDATE message SET status = ?2, tokens_in_context = ?3, tokens_reread = ?4, "
                   "tokens_generated = ?5, first_token_seconds = ?6, tokens_per_second = ?7, "
                   "kept_fraction = ?8, device = ?9, text = ?10 WHERE id = ?1",
                   message.id, message.status, facts.tokensInContext, facts.tokensReread,
                   facts.tokensGenerated, facts.firstTokenSeconds, facts.tokensPerSecond,
                   facts.keptFraction, facts.device, message.text);
    if (m_database.changes() == 0)
        throwNoSuchRecord("message", message.id);
    m_database.run("DELETE FROM citation WHERE message = ?1", message.id);
    insertCitations(message, message.id);
    m_database.run("UPDATE conversation SET changed_at = ?2 WHERE id = "
                   "(SELECT conversation FROM message WHERE id = ?1)",
                   message.id, now());
    transaction.commit();
}

std::vector<ConversationRecord> ConversationTable::list(RecordId documentId) const
{
    Statement row = m_database.prepare(
        std::string(kListSql) + "WHERE ?1 = 0 OR document = ?1 ORDER BY changed_at DESC, id DESC");
    row.bind(documentId);
    std::vector<ConversationRecord> records;
    while (row.step())
        records.push_back(readConversation(row));
    return records;
}

ConversationRecord ConversationTable::get(RecordId id) const
{
    Statement row = m_database.prepare(std::string(kListSql) + "WHERE id = ?1");
    if (!row.bind(id).step())
        throwNoSuchRecord("conversation", id);
    return readConversation(row);
}

std::vector<MessageRecord> ConversationTable::messages(RecordId id) const
{
    require(id);
    // A parent always has the smaller id: it must exist when a child is appended.
    Statement row = m_database.prepare(
        "SELECT id, conversation, ifnull(parent, 0), role, status, created_at, tokens_in_context, "
        "tokens_reread, tokens_generated, first_token_seconds, tokens_per_second, kept_fraction, "
        "device, text FROM message WHERE conversation = ?1 ORDER BY id");
    row.bind(id);
    std::vector<MessageRecord> messages;
    std::map<RecordId, std::size_t> positions;
    while (row.step()) {
        messages.push_back(readMessage(row));
        positions[messages.back().id] = messages.size() - 1;
    }
    Statement citation = m_database.prepare(
        "SELECT message, page, page_label, quote, byte_begin, byte_end FROM citation "
        "WHERE message IN (SELECT id FROM message WHERE conversation = ?1) "
        "ORDER BY message, ordinal");
    citation.bind(id);
    while (citation.step())
        if (const auto found = positions.find(citation.integer(0)); found != positions.end())
            messages[found->second].citations.push_back({.pageIndex = citation.size(1),
                                                         .pageLabel = citation.text(2),
                                                         .quote = citation.text(3),
                                                         .range = readRange(citation, 4)});
    return messages;
}

void ConversationTable::rename(RecordId id, const std::string& title)
{
    require(id);
    Transaction transaction(m_database);
    m_database.run("UPDATE conversation SET title = ?2 WHERE id = ?1", id, title);
    transaction.commit();
}

void ConversationTable::remove(RecordId id)
{
    require(id);
    Transaction transaction(m_database);
    m_database.run("DELETE FROM conversation WHERE id = ?1", id);
    m_database.run("UPDATE bookkeeping SET erase_pending = 1");
    transaction.commit();
}

} // namespace app
