#pragma once

#include "app/library/records.h"
#include "app/store/database.h"

#include <string>
#include <string_view>
#include <vector>

namespace app {

/// Conversations in library.db. The contract is that of the functions of Library.
class ConversationTable
{
public:
    explicit ConversationTable(Database& database)
        : m_database(database)
    {}

    bool contains(RecordId id) const;
    bool containsMessage(RecordId id) const;

    RecordId start(RecordId documentId, RecordId contextId);
    RecordId appendMessage(const MessageRecord& message);
    void updateMessageText(RecordId messageId, std::string_view text);
    void finishMessage(const MessageRecord& message);
    std::vector<ConversationRecord> list(RecordId documentId) const;
    ConversationRecord get(RecordId id) const;
    std::vector<MessageRecord> messages(RecordId id) const;
    void rename(RecordId id, const std::string& title);
    void remove(RecordId id);

private:
    void require(RecordId id) const;
    void insertCitations(const MessageRecord& message, RecordId id);

    Database& m_database;
};

} // namespace app
