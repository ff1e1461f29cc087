#include "app/documents/import_messages.h"

#include "app/documents/import_limits.h"
#include "app/documents/utf8.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace app {

namespace {

using engine::Error;
using engine::ErrorCode;
using nlohmann::json;

constexpr std::size_t kNumbersPerWord = 6;
constexpr double kBoxSteps = 100; // per point
constexpr int kMaxDepth = 4;      // of the deepest message there is

std::int64_t toSteps(double points)
{
    return std::llround(points * kBoxSteps);
}

float toPoints(std::int64_t steps)
{
    return static_cast<float>(steps) / static_cast<float>(kBoxSteps);
}

/// Whole numbers only: a number that does not fit would otherwise be bent until it does.
std::int64_t wholeNumber(const json& value, std::int64_t smallest, std::int64_t largest)
{
    if (!value.is_number_integer())
        throw Error(ErrorCode::Damaged, "A message holds something else where a number belongs.");
    const bool huge = value.is_number_unsigned() &&
                      value.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
    const std::int64_t number = huge ? INT64_MAX : value.get<std::int64_t>();
    if (number < smallest || number > largest)
        throw Error(ErrorCode::Damaged, "A number in a message is out of its range.");
    return number;
}

std::size_t index(const json& value)
{
    return static_cast<std::size_t>(wholeNumber(value, 0, INT32_MAX));
}

std::int64_t boxNumber(const json& value)
{
    const auto limit = static_cast<std::int64_t>(ImportLimits::kPagePoints * kBoxSteps);
    return wholeNumber(value, -limit, limit);
}

json wordsToJson(const std::vector<ImportedWord>& words)
{
    json::array_t numbers;
    numbers.reserve(words.size() * kNumbersPerWord);
    for (const ImportedWord& word : words) {
        numbers.emplace_back(word.range.begin);
        numbers.emplace_back(word.range.end);
        for (const float points : {word.x, word.y, word.width, word.height})
            numbers.emplace_back(toSteps(static_cast<double>(points)));
    }
    return numbers;
}

std::vector<ImportedWord> wordsFromJson(const json& numbers)
{
    if (!numbers.is_array() || numbers.size() % kNumbersPerWord != 0)
        throw Error(ErrorCode::Damaged, "The words of a message do not come in sixes.");
    std::vector<ImportedWord> words;
    words.reserve(numbers.size() / kNumbersPerWord);
    for (std::size_t at = 0; at < numbers.size(); at += kNumbersPerWord) {
        words.push_back({.range = {static_cast<std::uint32_t>(index(numbers[at])),
                                   static_cast<std::uint32_t>(index(numbers[at + 1]))},
                         .x = toPoints(boxNumber(numbers[at + 2])),
                         .y = toPoints(boxNumber(numbers[at + 3])),
                         .width = toPoints(boxNumber(numbers[at + 4])),
                         .height = toPoints(boxNumber(numbers[at + 5]))});
    }
    return words;
}

DocumentHeader headerFromJson(const json& message)
{
    return {.kind = documentKindFromName(message.at("kind").get<std::string>()),
            .title = message.at("title").get<std::string>(),
            .author = message.at("author").get<std::string>(),
            .detectedEncoding = message.at("encoding").get<std::string>(),
            .pagesTotal = index(message.at("pages"))};
}

PageContent pageFromJson(const json& message)
{
    PageContent content;
    content.text = message.at("text").get<std::string>();
    content.page.label = message.at("label").get<std::string>();
    content.page.range = {0, static_cast<std::uint32_t>(content.text.size())};
    content.page.width = static_cast<double>(toPoints(boxNumber(message.at("width"))));
    content.page.height = static_cast<double>(toPoints(boxNumber(message.at("height"))));
    content.page.blank = message.at("blank").get<bool>();
    content.page.words = wordsFromJson(message.at("words"));
    return content;
}

std::vector<OutlineEntry> outlineFromJson(const json& message)
{
    std::vector<OutlineEntry> outline;
    for (const json& entry : message) {
        outline.push_back({.title = entry.at(0).get<std::string>(),
                           .level = static_cast<int>(index(entry.at(1))),
                           .pageIndex = index(entry.at(2))});
    }
    return outline;
}

[[noreturn]] void throwWorkerError(const json& message)
{
    const auto code = static_cast<ErrorCode>(
        wholeNumber(message.at("code"), 0, static_cast<std::int64_t>(ErrorCode::Internal)));
    const std::string sentence =
        cleanLine(message.at("sentence").get<std::string>(), ImportLimits::kWarningBytes);
    throw Error(code, sentence,
                cleanLine(message.at("detail").get<std::string>(), ImportLimits::kWarningBytes));
}

json parseMessage(std::string_view line)
{
    return json::parse(line, [](int depth, json::parse_event_t, json&) {
        if (depth > kMaxDepth)
            throw Error(ErrorCode::Damaged, "A message is nested too deeply.");
        return true;
    });
}

} // namespace

MessageWriter::MessageWriter(std::function<void(const std::string& line)> send)
    : m_send(std::move(send))
{}

void MessageWriter::begin(DocumentHeader header)
{
    const json message = {{"begin",
                           {{"kind", documentKindName(header.kind)},
                            {"title", header.title},
                            {"author", header.author},
                            {"encoding", header.detectedEncoding},
                            {"pages", header.pagesTotal}}}};
    m_send(message.dump() + '\n');
}

void MessageWriter::addPage(PageContent content)
{
    const json message = {{"page",
                           {{"label", content.page.label},
                            {"text", content.text},
                            {"width", toSteps(content.page.width)},
                            {"height", toSteps(content.page.height)},
                            {"blank", content.page.blank},
                            {"words", wordsToJson(content.page.words)}}}};
    m_send(message.dump() + '\n');
}

void MessageWriter::setOutline(std::vector<OutlineEntry> outline)
{
    json::array_t entries;
    for (const OutlineEntry& entry : outline)
        entries.push_back(json::array({entry.title, entry.level, entry.pageIndex}));
    m_send(json{{"outline", entries}}.dump() + '\n');
}

void MessageWriter::addWarning(std::string sentence)
{
    m_send(json{{"warning", sentence}}.dump() + '\n');
}

void MessageWriter::fail(const Error& error)
{
    const json message = {{"error",
                           {{"code", static_cast<int>(error.code())},
                            {"sentence", error.what()},
                            {"detail", cleanLine(error.detail(), ImportLimits::kWarningBytes)}}}};
    m_send(message.dump(-1, ' ', false, json::error_handler_t::replace) + '\n');
}

void MessageWriter::finish()
{
    m_send("{\"done\":true}\n");
}

MessageReader::MessageReader(ImportSink& sink)
    : m_sink(sink)
{}

void MessageReader::readLine(std::string_view line)
{
    try {
        const json message = parseMessage(line);
        if (m_finished || !message.is_object() || message.size() != 1)
            throw Error(ErrorCode::Damaged, "A message of the reader is not of the agreed form.");
        const std::string& kind = message.begin().key();
        const json& body = message.begin().value();
        if (kind == "begin")
            m_sink.begin(headerFromJson(body));
        else if (kind == "page")
            m_sink.addPage(pageFromJson(body));
        else if (kind == "outline")
            m_sink.setOutline(outlineFromJson(body));
        else if (kind == "warning")
            m_sink.addWarning(body.get<std::string>());
        else if (kind == "error")
            throwWorkerError(body);
        else if (kind == "done")
            m_finished = true;
        else
            throw Error(ErrorCode::Damaged, "A message of the reader is of an unknown kind.");
    } catch (const json::exception& problem) {
        throw Error(ErrorCode::Damaged, "A message of the reader is not of the agreed form.",
                    problem.what());
    }
}

} // namespace app
