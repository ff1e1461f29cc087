#pragma once

#include "app/documents/imported_document.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace app {

/// Names one thing of the library. Documents, contexts, conversations, messages and jobs draw from
/// one sequence that never gives a number twice, so an id alone says what it names
/// (Library::kindOf), and a reference that outlived its target can never point at another one.
/// 0 means "none".
using RecordId = std::int64_t;

enum class RecordKind
{
    None,
    Document,
    Context,
    Conversation,
    Message,
    Job
};

/// Milliseconds since 1970-01-01 UTC.
using Timestamp = std::int64_t;

enum class DocumentState
{
    Ready,            // every page has text
    PagesWithoutText, // some pages have no text; stateText counts them
    NoText            // no page has text: nothing to prepare
};

struct DocumentRecord
{
    RecordId id = 0;
    std::string title;
    std::string author;
    std::filesystem::path path; // where the file was imported from; it may have moved since
    DocumentKind kind = DocumentKind::Text;
    std::size_t pages = 0;
    std::size_t pagesWithoutText = 0; // as in ImportedDocument: blank pages do not count
    std::size_t words = 0;
    std::size_t textBytes = 0;
    std::string fileSha256; // lower-case hex
    std::string textSha256; // of Library::text()
    DocumentState state = DocumentState::Ready;
    std::string stateText; // a sentence unless Ready: "14 of 412 pages have no text."
    std::string detectedEncoding;
    Timestamp addedAt = 0;
    std::vector<OutlineEntry> outline; // filled by Library::document(), empty in lists
    std::vector<std::string> warnings; // likewise
};

struct AddResult
{
    RecordId id = 0;          // the new document, or the one that is already there
    RecordId duplicateOf = 0; // not 0: nothing was added, `id` is this one
};

/// One page, or one stable piece of a text that has no pages. The index counts from 0; the label is
/// what is printed ("iv", "A-3") and is the one to show. Its words: Library::words().
struct PageRecord
{
    std::size_t index = 0;
    std::string label;
    ByteRange range;   // of Library::text()
    double width = 0;  // points; 0 for reflowed documents
    double height = 0; // points
    std::size_t words = 0;
    bool hasText = false;
    bool blank = false;
};

struct SearchHit
{
    RecordId documentId = 0;
    std::size_t pageIndex = 0;
    std::string pageLabel;
    std::string snippet; // the words found lie between kSnippetMarkBegin and kSnippetMarkEnd
};

/// Control characters, which text from documents never contains.
constexpr char kSnippetMarkBegin = '\x02';
constexpr char kSnippetMarkEnd = '\x03';

enum class ContextState
{
    Preparing, // has checkpoints at most; a job can take it up again
    Ready,     // every segment was committed, read again and found good
    Damaged    // a check failed; prepare again
};

/// A prepared document: what a model keeps of it. Cheap facts only; the state itself lies in
/// segments and named blobs.
struct ContextRecord
{
    RecordId id = 0;
    RecordId documentId = 0;
    std::string modelName;
    std::filesystem::path modelPath;
    std::string modelHash;
    std::string method;    // id in the table of methods: "kvzip"
    std::string settings;  // JSON text of everything else that was chosen
    double keep = 1.0;     // share that was asked for
    std::string storeType; // "f16", "int8", "kivi4", "kivi2"
    std::int64_t tokens = 0;
    double keptFraction = 0; // share of the cells that was kept
    std::int64_t bytesFull = 0;
    std::int64_t bytesStored = 0; // set by finishContext from what was written
    std::int64_t peakBytes = 0;
    double seconds = 0;
    std::size_t segments = 0; // set by finishContext
    ContextState state = ContextState::Preparing;
    std::string stateText; // why it is damaged
    Timestamp createdAt = 0;
};

struct ConversationRecord
{
    RecordId id = 0;
    RecordId documentId = 0;
    RecordId contextId = 0; // may name a context that was removed since
    std::string title;      // the first question, shortened
    std::size_t messages = 0;
    Timestamp createdAt = 0;
    Timestamp changedAt = 0;
};

enum class MessageRole
{
    User,
    Assistant,
    System
};

enum class MessageStatus
{
    Complete,
    Partial, // still being written, stopped, or the program ended while it was written
    Failed
};

/// A passage an answer rests on.
struct CitationRecord
{
    std::size_t pageIndex = 0;
    std::string pageLabel;
    std::string quote;
    ByteRange range; // of Library::text()

    bool operator==(const CitationRecord&) const = default;
};

/// What is shown below an answer.
struct AnswerFacts
{
    std::int64_t tokensInContext = 0;
    std::int64_t tokensReread = 0;
    std::int64_t tokensGenerated = 0;
    double firstTokenSeconds = 0;
    double tokensPerSecond = 0;
    double keptFraction = 0;
    std::string device;

    bool operator==(const AnswerFacts&) const = default;
};

/// A node in the tree of a conversation: an edited question is a second child, never a
/// replacement.
struct MessageRecord
{
    RecordId id = 0;
    RecordId conversationId = 0;
    RecordId parentId = 0; // 0: the first message
    MessageRole role = MessageRole::User;
    std::string text;
    Timestamp createdAt = 0;
    MessageStatus status = MessageStatus::Complete;
    AnswerFacts facts;
    std::vector<CitationRecord> citations;
};

enum class JobState
{
    Waiting,
    Running,
    Paused,
    Done,
    Failed,
    Cancelled
};

struct JobRecord
{
    RecordId id = 0;
    std::string kind; // "prepare", "import", ...
    RecordId documentId = 0;
    RecordId contextId = 0;
    std::string parameters; // JSON text, written and read by the owner of the kind
    JobState state = JobState::Waiting;
    double progress = 0; // 0..1
    std::string progressText;
    std::string error;
    Timestamp createdAt = 0;
    Timestamp changedAt = 0;
};

/// The stored word of an enumerator ("ready", "partial", ...), for lists and JSON.
std::string_view toText(RecordKind kind);
std::string_view toText(DocumentState state);
std::string_view toText(ContextState state);
std::string_view toText(MessageRole role);
std::string_view toText(MessageStatus status);
std::string_view toText(JobState state);

} // namespace app
