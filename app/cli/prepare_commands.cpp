#include "app/cli/commands.h"
#include "app/jobs/answer_question.h"
#include "app/jobs/model_places.h"
#include "app/jobs/pinned_pages.h"
#include "app/jobs/prepare_document.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace app {
namespace {

using nlohmann::json;

std::string progressText(const PrepareStatus& status)
{
    std::string text = status.progress.phase + ": " + std::to_string(status.progress.tokensDone) +
                       " of " + std::to_string(status.progress.tokensTotal) + " tokens, " +
                       percentText(status.progress.fraction) + " of all the work";
    if (status.remainingSeconds >= 1)
        text += ", about " + durationText(status.remainingSeconds) + " left";
    return text;
}

std::string textOfFile(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    std::string text;
    // Reading a folder throws.
    if (!std::filesystem::is_directory(path))
        text.assign(std::istreambuf_iterator<char>(file), {});
    if (text.empty() || file.bad()) {
        throw engine::Error(engine::ErrorCode::NotFound,
                            "The head table \"" + path +
                                "\" cannot be read. Measure one with the command head-table.");
    }
    return text;
}

engine::PrepareOptions prepareOptions(const PrepareArguments& arguments)
{
    engine::PrepareOptions options;
    if (!arguments.method.empty())
        options.method = arguments.method;
    options.keep = arguments.keep.value_or(options.keep);
    options.budget = arguments.budget;
    const engine::StoreFormat format = engine::parseStoreFormat(arguments.store);
    options.store = format.type;
    options.coded = format.coded;
    options.question = arguments.question;
    options.settings = parseSettings(options.method, arguments.settings);
    if (!arguments.headTable.empty())
        options.headTable = textOfFile(arguments.headTable);
    return options;
}

/// Whether nothing says what is to be kept.
bool choosesNothing(const PrepareArguments& arguments)
{
    return arguments.method.empty() && !arguments.keep && !arguments.budget &&
           arguments.settings.empty() && arguments.headTable.empty();
}

json answerJson(const Answered& answered)
{
    return {{"answer", answered.answer.text},
            {"conversation", answered.conversationId},
            {"tokens_in_context", answered.facts.tokensInContext},
            {"tokens_reread", answered.facts.tokensReread},
            {"tokens", answered.answer.tokens},
            {"first_token_seconds", answered.facts.firstTokenSeconds},
            {"tokens_per_second", answered.facts.tokensPerSecond},
            {"device", answered.facts.device},
            {"citations", citationsJson(answered.citations)}};
}

} // namespace

void prepare(const CommonOptions& common, const PrepareArguments& arguments)
{
    const Output output = outputOf(common);
    engine::PrepareOptions options = prepareOptions(arguments);
    const auto library = openLibrary(common, OpenMode::ReadWrite);
    const DocumentRecord document = library->document(arguments.document);
    if (document.state == DocumentState::NoText) {
        throw engine::Error(engine::ErrorCode::Unsupported,
                            "\"" + document.title + "\" has no text to prepare. " +
                                "If it is a scan, import a copy made with text recognition (OCR).");
    }
    options.pinned = pinnedText(library->pages(document.id), arguments.pins);
    const std::string text = library->text(document.id);
    const ModelAndMethod usual =
        usualPreparation({arguments.model, choosesNothing(arguments) ? "" : options.method}, text);
    options.method = usual.method;
    const auto model = engine::loadModel(usual.model, loadOptions(common));
    LibraryPrepareStorage storage(*library);
    const PreparedDocument prepared = prepareDocument(
        storage, document.id, text, model, options,
        [&](const PrepareStatus& status) { output.progress(progressText(status)); }, {});
    output.endProgress();
    const ContextRecord record = library->context(prepared.contextId);
    json result{{"context", record.id},           {"document", document.id},
                {"model", record.modelName},      {"method", record.method},
                {"tokens", record.tokens},        {"kept_fraction", record.keptFraction},
                {"bytes_full", record.bytesFull}, {"bytes_stored", record.bytesStored},
                {"peak_bytes", record.peakBytes}, {"seconds", record.seconds},
                {"warnings", prepared.warnings}};
    if (prepared.keptBiasTable || prepared.biasTableFrom)
        result["bias_table"] = prepared.keptBiasTable ? "measured" : "kept";
    output.value(result);
    for (const std::string& warning : prepared.warnings)
        output.line("Warning: " + warning);
    output.line("Context " + std::to_string(record.id) + " of \"" + document.title + "\": " +
                std::to_string(record.tokens) + " tokens read in " + durationText(record.seconds) +
                " by " + record.modelName + ", " + percentText(record.keptFraction) + " kept in " +
                bytesText(static_cast<std::uint64_t>(record.bytesStored)) + " (uncompressed: " +
                bytesText(static_cast<std::uint64_t>(record.bytesFull)) + ").");
    if (prepared.keptBiasTable)
        output.line("The bias table of this model was measured on it and is kept for others.");
    else if (prepared.biasTableFrom)
        output.line("The bias table of this model was measured on " +
                    timeText(*prepared.biasTableFrom) + ".");
    if (const std::string limits = readerLimits(engine::modelInfo(*model).path); !limits.empty())
        output.line(limits);
}

void ask(const CommonOptions& common, const AskArguments& arguments)
{
    const Output output = outputOf(common);
    if (arguments.question.find_first_not_of(" \t\r\n") == std::string::npos) {
        throw engine::Error(
            engine::ErrorCode::BadInput,
            "The question is empty. Write it in quotation marks behind the document's id.");
    }
    const auto library = openLibrary(common, OpenMode::ReadWrite);
    RecordId contextId = arguments.context;
    if (contextId == 0 && arguments.conversation != 0)
        contextId = library->conversation(arguments.conversation).contextId;
    const ContextRecord record = chooseContext(*library, arguments.document, contextId);
    const auto model = engine::loadModel(
        arguments.model.empty() ? record.modelPath : std::filesystem::path(arguments.model),
        loadOptions(common));
    const OpenContext open = openContext(*library, record, model);
    const Answered answered =
        answerQuestion(*library, open, arguments.conversation, arguments.question,
                       arguments.options, [&](std::string_view text) { output.stream(text); }, {});
    output.value(answerJson(answered));
    output.line(answered.answer.text.empty() ? "(The document gave no answer.)" : "");
    printCitations(output, answered.citations);
    output.line("  re-read " + std::to_string(answered.facts.tokensReread) + " of " +
                std::to_string(record.tokens) + " tokens, first word after " +
                durationText(answered.facts.firstTokenSeconds) + ", " +
                (answered.answer.tokens < 2
                     ? ""
                     : numberText(answered.facts.tokensPerSecond, 1) + " tokens/s, ") +
                answered.facts.device + ", conversation " +
                std::to_string(answered.conversationId));
}

} // namespace app
