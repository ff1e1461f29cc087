#include "app/cli/commands.h"
#include "app/documents/import_worker.h"

#include <chrono>
#include <nlohmann/json.hpp>

namespace app {
namespace {

using nlohmann::json;

json documentJson(const DocumentRecord& document)
{
    return {{"id", document.id},
            {"title", document.title},
            {"author", document.author},
            {"kind", documentKindName(document.kind)},
            {"pages", document.pages},
            {"pages_without_text", document.pagesWithoutText},
            {"words", document.words},
            {"sha256", document.fileSha256},
            {"text_sha256", document.textSha256},
            {"state", toText(document.state)},
            {"duplicate_of", nullptr}};
}

json contextJson(const ContextRecord& context)
{
    return {{"context", context.id},
            {"document", context.documentId},
            {"model", context.modelName},
            {"method", context.method},
            {"keep", context.keep},
            {"store", context.storeType},
            {"tokens", context.tokens},
            {"kept_fraction", context.keptFraction},
            {"bytes_full", context.bytesFull},
            {"bytes_stored", context.bytesStored},
            {"peak_bytes", context.peakBytes},
            {"seconds", context.seconds},
            {"state", toText(context.state)}};
}

/// One file of an import; its sentence for a person when something is worth saying.
json importOne(Library& library, const Output& output, const std::string& file)
{
    const auto onProgress = [&](const ImportProgress& progress) {
        output.progress(
            "Reading " + file + ": page " + std::to_string(progress.pagesRead) +
            (progress.pagesTotal == 0 ? "" : " of " + std::to_string(progress.pagesTotal)));
    };
    const ImportedDocument imported = importInWorker(thisProgram(), file, onProgress, {});
    output.endProgress();
    const AddResult added =
        library.addDocument(imported, std::filesystem::absolute(file).lexically_normal());
    const DocumentRecord document = library.document(added.id);
    if (added.duplicateOf != 0) {
        output.line(file + " is already in the library as document " +
                    std::to_string(added.duplicateOf) + ", \"" + document.title + "\".");
    } else {
        output.line("Document " + std::to_string(document.id) + ": \"" + document.title + "\", " +
                    counted(document.pages, "page") + ", " + counted(document.words, "word") + "." +
                    (document.stateText.empty() ? "" : " " + document.stateText));
    }
    for (const std::string& warning : document.warnings)
        output.line("  " + warning);
    json result = documentJson(document);
    if (added.duplicateOf != 0)
        result["duplicate_of"] = added.duplicateOf;
    return result;
}

} // namespace

void importFiles(const CommonOptions& common, const std::vector<std::string>& files)
{
    const Output output = outputOf(common);
    const auto library = openLibrary(common, OpenMode::ReadWrite);
    json documents = json::array();
    json failures = json::array();
    std::string firstSentence;
    for (const std::string& file : files) {
        try {
            documents.push_back(importOne(*library, output, file));
        } catch (const engine::Error& error) {
            output.endProgress();
            // One bad file must not keep the others out.
            failures.push_back({{"file", file}, {"error", error.what()}});
            if (files.size() > 1)
                output.line(error.what());
            if (firstSentence.empty())
                firstSentence = error.what();
        }
    }
    if (failures.empty()) {
        output.value({{"documents", documents}});
        return;
    }
    throw PartialFailure(engine::ErrorCode::Unsupported,
                         files.size() == 1 ? firstSentence
                                           : std::to_string(failures.size()) + " of " +
                                                 std::to_string(files.size()) +
                                                 " files could not be imported. " + firstSentence,
                         {{"documents", documents}, {"failures", failures}});
}

void listDocuments(const CommonOptions& common)
{
    const Output output = outputOf(common);
    const auto library = openLibrary(common, OpenMode::ReadOnly);
    json list = json::array();
    std::vector<std::vector<std::string>> rows{{"ID", "TITLE", "KIND", "PAGES", "WORDS", "STATE"}};
    for (const DocumentRecord& document : library->documents()) {
        list.push_back(documentJson(document));
        rows.push_back({std::to_string(document.id), document.title,
                        std::string(documentKindName(document.kind)),
                        std::to_string(document.pages), std::to_string(document.words),
                        document.stateText.empty() ? "ready" : document.stateText});
    }
    output.value({{"documents", list}});
    if (rows.size() == 1)
        output.line("The library is empty. Add a document with: epitome import FILE");
    else
        output.table(rows);
}

void listContexts(const CommonOptions& common, RecordId document)
{
    const Output output = outputOf(common);
    const auto library = openLibrary(common, OpenMode::ReadOnly);
    if (document != 0)
        library->document(document); // an unknown one is an error, not an empty list
    json list = json::array();
    std::vector<std::vector<std::string>> rows{
        {"ID", "DOCUMENT", "MODEL", "METHOD", "STORE", "TOKENS", "KEPT", "SIZE", "STATE"}};
    for (const ContextRecord& context : library->contexts(document)) {
        list.push_back(contextJson(context));
        rows.push_back({std::to_string(context.id), std::to_string(context.documentId),
                        context.modelName, context.method, context.storeType,
                        std::to_string(context.tokens), percentText(context.keptFraction),
                        bytesText(static_cast<std::uint64_t>(context.bytesStored)),
                        std::string(toText(context.state))});
    }
    output.value({{"contexts", list}});
    if (rows.size() == 1)
        output.line("Nothing has been prepared yet. Do so with: epitome prepare DOCUMENT");
    else
        output.table(rows);
}

void listConversations(const CommonOptions& common, RecordId document)
{
    const Output output = outputOf(common);
    const auto library = openLibrary(common, OpenMode::ReadOnly);
    if (document != 0)
        library->document(document);
    json list = json::array();
    std::vector<std::vector<std::string>> rows{
        {"ID", "DOCUMENT", "CONTEXT", "MESSAGES", "CHANGED", "TITLE"}};
    for (const ConversationRecord& conversation : library->conversations(document)) {
        list.push_back({{"conversation", conversation.id},
                        {"document", conversation.documentId},
                        {"context", conversation.contextId},
                        {"title", conversation.title},
                        {"messages", conversation.messages}});
        rows.push_back({std::to_string(conversation.id), std::to_string(conversation.documentId),
                        std::to_string(conversation.contextId),
                        std::to_string(conversation.messages), timeText(conversation.changedAt),
                        conversation.title});
    }
    output.value({{"conversations", list}});
    if (rows.size() == 1)
        output.line("There are no conversations yet. Start one with: epitome ask DOCUMENT \"...\"");
    else
        output.table(rows);
}

void showConversation(const CommonOptions& common, RecordId conversation)
{
    const Output output = outputOf(common);
    const auto library = openLibrary(common, OpenMode::ReadOnly);
    json list = json::array();
    for (const MessageRecord& message : library->messages(conversation)) {
        list.push_back({{"id", message.id},
                        {"role", toText(message.role)},
                        {"text", message.text},
                        {"status", toText(message.status)},
                        {"citations", citationsJson(message.citations)}});
        output.line((message.role == MessageRole::User ? "You: " : "Answer: ") + message.text);
        printCitations(output, message.citations);
        if (message.role == MessageRole::Assistant)
            output.line("");
    }
    output.value({{"conversation", conversation}, {"messages", list}});
}

void verifyContexts(const CommonOptions& common, RecordId context)
{
    const Output output = outputOf(common);
    const auto library = openLibrary(common, OpenMode::ReadWrite);
    std::vector<RecordId> ids;
    if (context != 0) {
        ids.push_back(context);
    } else {
        for (const ContextRecord& each : library->contexts()) {
            if (each.state != ContextState::Preparing)
                ids.push_back(each.id);
        }
    }
    json list = json::array();
    std::size_t damaged = 0;
    for (const RecordId id : ids) {
        const std::string problem = library->verifyContext(id);
        damaged += problem.empty() ? 0 : 1;
        list.push_back({{"context", id}, {"good", problem.empty()}, {"problem", problem}});
        output.line("Context " + std::to_string(id) + ": " + (problem.empty() ? "good" : problem));
    }
    if (ids.empty())
        output.line("There is nothing to verify.");
    if (damaged > 0) {
        throw PartialFailure(engine::ErrorCode::Damaged,
                             std::to_string(damaged) + " of " + std::to_string(ids.size()) +
                                 (ids.size() == 1 ? " context is" : " contexts are") +
                                 " damaged. Prepare the document again; conversations are not "
                                 "affected.",
                             {{"contexts", list}});
    }
    output.value({{"contexts", list}});
}

void removeRecord(const CommonOptions& common, RecordId id)
{
    const Output output = outputOf(common);
    const auto library = openLibrary(common, OpenMode::ReadWrite);
    const RecordKind kind = library->kindOf(id);
    switch (kind) {
    case RecordKind::Document:
        library->removeDocument(id);
        break;
    case RecordKind::Context:
        library->removeContext(id);
        break;
    case RecordKind::Conversation:
        library->removeConversation(id);
        break;
    case RecordKind::Job:
        library->removeJob(id);
        break;
    case RecordKind::Message:
    case RecordKind::None:
        throw engine::Error(engine::ErrorCode::NotFound,
                            "There is no document, context or conversation with the id " +
                                std::to_string(id) +
                                ". The command \"epitome documents\" lists the documents.");
    }
    output.value({{"removed", id}, {"kind", toText(kind)}});
    output.line("Removed " + std::string(toText(kind)) + " " + std::to_string(id) + ".");
}

} // namespace app
