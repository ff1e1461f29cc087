#include "app/library/document_table.h"

#include "app/library/record_io.h"
#include "app/library/word_codec.h"
#include "engine/error.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace app {
namespace {

using engine::Error;
using engine::ErrorCode;

constexpr std::size_t kPagesPerTransaction = 64;

constexpr std::string_view kDocumentColumns =
    "id, title, author, path, kind, pages, pages_without_text, words, text_bytes, file_sha256, "
    "text_sha256, state, encoding, added_at";
constexpr std::string_view kPageColumns =
    "ordinal, label, byte_begin, byte_end, width, height, word_count, has_text, blank";

// What is stored must not change when the enumeration does.
constexpr std::array<std::pair<DocumentKind, std::string_view>, 4> kKinds = {
    {{DocumentKind::Pdf, "pdf"},
     {DocumentKind::Epub, "epub"},
     {DocumentKind::Text, "text"},
     {DocumentKind::Markdown, "markdown"}}};

std::string_view kindName(DocumentKind kind)
{
    const auto* found =
        std::ranges::find(kKinds, kind, &std::pair<DocumentKind, std::string_view>::first);
    return found != kKinds.end() ? found->second : "text";
}

DocumentKind kindFromName(std::string_view name)
{
    const auto* found =
        std::ranges::find(kKinds, name, &std::pair<DocumentKind, std::string_view>::second);
    return found != kKinds.end() ? found->first : DocumentKind::Text;
}

DocumentState stateOf(const ImportedDocument& document)
{
    if (std::ranges::none_of(document.pages, &ImportedPage::hasText))
        return DocumentState::NoText;
    return document.pagesWithoutText > 0 ? DocumentState::PagesWithoutText : DocumentState::Ready;
}

std::string stateSentence(const DocumentRecord& record)
{
    switch (record.state) {
    case DocumentState::NoText:
        return "No page has text, so there is nothing to read; a scanned document must go through "
               "text recognition first.";
    case DocumentState::PagesWithoutText:
        return std::to_string(record.pagesWithoutText) + " of " + std::to_string(record.pages) +
               (record.pages == 1 ? " page has no text." : " pages have no text.");
    case DocumentState::Ready:
        break;
    }
    return {};
}

DocumentState stateFromStored(std::int64_t value)
{
    switch (value) {
    case static_cast<std::int64_t>(DocumentState::Ready):
        return DocumentState::Ready;
    case static_cast<std::int64_t>(DocumentState::PagesWithoutText):
        return DocumentState::PagesWithoutText;
    default:
        return DocumentState::NoText;
    }
}

DocumentRecord readDocument(const Statement& row)
{
    DocumentRecord record;
    record.id = row.integer(0);
    record.title = row.text(1);
    record.author = row.text(2);
    record.path = pathFromBytes(row.bytes(3));
    record.kind = kindFromName(row.text(4));
    record.pages = row.size(5);
    record.pagesWithoutText = row.size(6);
    record.words = row.size(7);
    record.textBytes = row.size(8);
    record.fileSha256 = row.text(9);
    record.textSha256 = row.text(10);
    record.state = stateFromStored(row.integer(11));
    record.detectedEncoding = row.text(12);
    record.addedAt = row.integer(13);
    record.stateText = stateSentence(record);
    return record;
}

PageRecord readPage(const Statement& row)
{
    PageRecord page;
    page.index = row.size(0);
    page.label = row.text(1);
    page.range = readRange(row, 2);
    page.width = row.real(4);
    page.height = row.real(5);
    page.words = row.size(6);
    page.hasText = row.integer(7) != 0;
    page.blank = row.integer(8) != 0;
    return page;
}

bool wordsLieWithin(const ImportedPage& page)
{
    std::size_t position = page.range.begin;
    return std::ranges::all_of(page.words, [&](const ImportedWord& word) {
        const bool good = position <= word.range.begin && word.range.begin <= word.range.end &&
                          word.range.end <= page.range.end;
        position = word.range.end;
        return good;
    });
}

/// The ranges are used as array bounds here and wherever the document is shown.
void checkRanges(const ImportedDocument& document)
{
    std::size_t position = 0;
    bool good = !document.pages.empty();
    for (const ImportedPage& page : document.pages) {
        good = good && page.range.begin == position && page.range.end >= position &&
               wordsLieWithin(page);
        position = page.range.end;
    }
    if (!good || position != document.text.size())
        throw Error(ErrorCode::BadInput,
                    "The document \"" + document.title +
                        "\" could not be added because its pages do not fit its text; please "
                        "report this file.",
                    "page or word ranges of the import are inconsistent");
}

} // namespace

bool DocumentTable::contains(RecordId id) const
{
    return m_database.integer("SELECT 1 FROM document WHERE id = ?1 AND visible = 1", id)
        .has_value();
}

void DocumentTable::require(RecordId id) const
{
    if (!contains(id))
        throwNoSuchRecord("document", id);
}

AddResult DocumentTable::add(const ImportedDocument& document, const std::filesystem::path& path)
{
    checkRanges(document);
    if (const RecordId existing = findDuplicate(document); existing != 0)
        return {existing, existing};

    RecordId id = 0;
    std::size_t written = 0;
    try {
        do {
            Transaction transaction(m_database);
            const RecordId owner = id != 0 ? id : insertDocument(document, path);
            written = insertPages(owner, document, written);
            if (written == document.pages.size())
                publish(owner, document);
            transaction.commit();
            id = owner;
        } while (written < document.pages.size());
    } catch (const Error&) {
        try {
            removeUnfinished();
        } catch (const Error&) { // invisible, and removed at the next start
        }
        throw;
    }
    return {id, 0};
}

RecordId DocumentTable::findDuplicate(const ImportedDocument& document) const
{
    // All documents without a text have the same text: only their files tell them apart.
    const bool compareText = stateOf(document) != DocumentState::NoText;
    return m_database
        .integer("SELECT id FROM document WHERE visible = 1 AND (file_sha256 = ?1 OR (?3 AND "
                 "text_sha256 = ?2)) ORDER BY file_sha256 = ?1 DESC, id LIMIT 1",
                 document.fileSha256, document.textSha256, compareText)
        .value_or(0);
}

RecordId DocumentTable::insertDocument(const ImportedDocument& document,
                                       const std::filesystem::path& path)
{
    const RecordId id = nextRecordId(m_database);
    m_database.run("INSERT INTO document VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
                   "?12, ?13, ?14)",
                   id, document.title, document.author, pathBytes(path), kindName(document.kind),
                   document.pages.size(), document.pagesWithoutText, document.wordCount,
                   document.text.size(), document.fileSha256, document.textSha256,
                   stateOf(document), document.detectedEncoding, now());
    return id;
}

std::size_t DocumentTable::insertPages(RecordId id, const ImportedDocument& document,
                                       std::size_t first)
{
    const std::size_t end = std::min(document.pages.size(), first + kPagesPerTransaction);
    Statement insertPage = m_database.prepare(
        "INSERT INTO page (document, ordinal, label, byte_begin, byte_end, width, height, "
        "word_count, has_text, blank, text, words) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
    Statement insertText =
        m_database.prepare("INSERT INTO page_text (rowid, text) VALUES (?1, ?2)");
    const std::string_view text = document.text;
    for (std::size_t index = first; index < end; ++index) {
        const ImportedPage& page = document.pages[index];
        const std::string_view pageText =
            text.substr(page.range.begin, page.range.end - page.range.begin);
        const std::vector<std::byte> words = encodeWords(page.words, page.range.begin);
        insertPage
            .bind(id, index, page.label, page.range.begin, page.range.end, page.width, page.height,
                  page.words.size(), page.hasText, page.blank, pageText, words)
            .run();
        insertText.bind(m_database.lastRowId(), pageText).run();
    }
    return end;
}

void DocumentTable::publish(RecordId id, const ImportedDocument& document)
{
    Statement insertOutline = m_database.prepare("INSERT INTO outline VALUES (?1, ?2, ?3, ?4, ?5)");
    std::size_t ordinal = 0;
    for (const OutlineEntry& entry : document.outline)
        insertOutline.bind(id, ordinal++, entry.title, entry.level, entry.pageIndex).run();
    Statement insertWarning =
        m_database.prepare("INSERT INTO document_warning VALUES (?1, ?2, ?3)");
    ordinal = 0;
    for (const std::string& warning : document.warnings)
        insertWarning.bind(id, ordinal++, warning).run();
    m_database.run("UPDATE document SET visible = 1 WHERE id = ?1", id);
}

std::vector<DocumentRecord> DocumentTable::list() const
{
    Statement row = m_database.prepare("SELECT " + std::string(kDocumentColumns) +
                                       " FROM document WHERE visible = 1 ORDER BY id DESC");
    std::vector<DocumentRecord> records;
    while (row.step())
        records.push_back(readDocument(row));
    return records;
}

DocumentRecord DocumentTable::get(RecordId id) const
{
    Statement row = m_database.prepare("SELECT " + std::string(kDocumentColumns) +
                                       " FROM document WHERE visible = 1 AND id = ?1");
    if (!row.bind(id).step())
        throwNoSuchRecord("document", id);
    DocumentRecord record = readDocument(row);

    Statement entry = m_database.prepare(
        "SELECT title, level, page FROM outline WHERE document = ?1 ORDER BY ordinal");
    entry.bind(id);
    while (entry.step())
        record.outline.push_back(
            {entry.text(0), static_cast<int>(entry.integer(1)), entry.size(2)});
    Statement warning = m_database.prepare(
        "SELECT sentence FROM document_warning WHERE document = ?1 ORDER BY ordinal");
    warning.bind(id);
    while (warning.step())
        record.warnings.push_back(warning.text(0));
    return record;
}

std::string DocumentTable::text(RecordId id) const
{
    require(id);
    Statement row =
        m_database.prepare("SELECT text FROM page WHERE document = ?1 ORDER BY ordinal");
    row.bind(id);
    std::string text;
    while (row.step())
        text += row.text(0);
    return text;
}

std::vector<PageRecord> DocumentTable::pages(RecordId id) const
{
    require(id);
    Statement row = m_database.prepare("SELECT " + std::string(kPageColumns) +
                                       " FROM page WHERE document = ?1 ORDER BY ordinal");
    row.bind(id);
    std::vector<PageRecord> pages;
    while (row.step())
        pages.push_back(readPage(row));
    return pages;
}

std::vector<ImportedWord> DocumentTable::words(RecordId id, std::size_t pageIndex) const
{
    require(id);
    Statement row = m_database.prepare("SELECT byte_begin, byte_end, word_count, words FROM page "
                                       "WHERE document = ?1 AND ordinal = ?2");
    if (!row.bind(id, pageIndex).step())
        throw Error(ErrorCode::BadInput, "Document " + std::to_string(id) + " has no page " +
                                             std::to_string(pageIndex + 1) + ".");
    return decodeWords(row.bytes(3), row.size(2), readRange(row, 0));
}

PageRecord DocumentTable::pageOfByte(RecordId id, std::size_t offset) const
{
    require(id);
    // Of an empty page and the one behind it, which begin at the same byte, the later one has it.
    Statement row = m_database.prepare("SELECT " + std::string(kPageColumns) +
                                       " FROM page WHERE document = ?1 AND byte_begin <= ?2 "
                                       "ORDER BY byte_begin DESC, ordinal DESC LIMIT 1");
    constexpr std::size_t kLast = std::numeric_limits<std::int64_t>::max();
    if (!row.bind(id, std::min(offset, kLast)).step())
        throwNoSuchRecord("page in document", id);
    return readPage(row);
}

void DocumentTable::rename(RecordId id, const std::string& title)
{
    require(id);
    Transaction transaction(m_database);
    m_database.run("UPDATE document SET title = ?2 WHERE id = ?1", id, title);
    transaction.commit();
}

void DocumentTable::remove(RecordId id)
{
    require(id);
    Transaction transaction(m_database);
    removeRow(id);
    transaction.commit();
}

void DocumentTable::removeRow(RecordId id)
{
    // The index holds no text of its own: it is told what to take out.
    m_database.run("INSERT INTO page_text (page_text, rowid, text) "
                   "SELECT 'delete', id, text FROM page WHERE document = ?1",
                   id);
    m_database.run("DELETE FROM document WHERE id = ?1", id);
    m_database.run("UPDATE bookkeeping SET erase_pending = 1");
}

void DocumentTable::removeUnfinished()
{
    Statement row = m_database.prepare("SELECT id FROM document WHERE visible = 0");
    std::vector<RecordId> unfinished;
    while (row.step())
        unfinished.push_back(row.integer(0));
    for (const RecordId id : unfinished) {
        Transaction transaction(m_database);
        removeRow(id);
        transaction.commit();
    }
}

std::vector<RecordId> DocumentTable::ids() const
{
    Statement row = m_database.prepare("SELECT id FROM document WHERE visible = 1");
    std::vector<RecordId> ids;
    while (row.step())
        ids.push_back(row.integer(0));
    return ids;
}

} // namespace app
