#pragma once

#include "app/documents/imported_document.h"
#include "app/library/records.h"
#include "app/store/database.h"

#include <string>
#include <vector>

namespace app {

/// Documents and their pages in library.db. The contract is that of the functions of Library.
class DocumentTable
{
public:
    explicit DocumentTable(Database& database)
        : m_database(database)
    {}

    bool contains(RecordId id) const;
    void require(RecordId id) const; // throws NotFound

    AddResult add(const ImportedDocument& document, const std::filesystem::path& path);
    std::vector<DocumentRecord> list() const;
    DocumentRecord get(RecordId id) const;
    std::string text(RecordId id) const;
    std::vector<PageRecord> pages(RecordId id) const;
    std::vector<ImportedWord> words(RecordId id, std::size_t pageIndex) const;
    PageRecord pageOfByte(RecordId id, std::size_t offset) const;
    void rename(RecordId id, const std::string& title);
    /// With conversations and jobs. Traces remain until eraseTraces().
    void remove(RecordId id);
    /// Removes what an interrupted import left.
    void removeUnfinished();
    std::vector<RecordId> ids() const;

private:
    RecordId findDuplicate(const ImportedDocument& document) const;
    RecordId insertDocument(const ImportedDocument& document, const std::filesystem::path& path);
    std::size_t insertPages(RecordId id, const ImportedDocument& document, std::size_t first);
    void publish(RecordId id, const ImportedDocument& document);
    void removeRow(RecordId id);

    Database& m_database;
};

} // namespace app
