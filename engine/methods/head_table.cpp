#include "engine/methods/head_table.h"

#include "engine/error.h"

#include <array>
#include <charconv>
#include <cmath>

namespace engine {
namespace {

constexpr std::string_view kFirstLine = "# Epitome head table 1";
constexpr std::string_view kModelLine = "# model ";
constexpr std::string_view kRopeLine = "# ";

[[noreturn]] void damaged(std::size_t line)
{
    throw Error(ErrorCode::Damaged, "The head table cannot be read in line " +
                                        std::to_string(line) +
                                        ". Measure it again with the command head-table.");
}

/// Lines of a text, one after the other.
class Lines
{
public:
    explicit Lines(std::string_view text)
        : m_rest(text)
    {}

    std::string_view next()
    {
        ++m_number;
        const std::size_t end = m_rest.find('\n');
        if (end == std::string_view::npos)
            damaged(m_number);
        const std::string_view line = m_rest.substr(0, end);
        m_rest.remove_prefix(end + 1);
        return line;
    }
    std::string_view nextAfter(std::string_view prefix)
    {
        std::string_view line = next();
        if (!line.starts_with(prefix))
            damaged(m_number);
        line.remove_prefix(prefix.size());
        return line;
    }
    std::size_t number() const { return m_number; }
    bool atEnd() const { return m_rest.empty(); }

private:
    std::string_view m_rest;
    std::size_t m_number = 0;
};

void readRow(std::vector<float>& scores, std::string_view line, std::uint32_t count,
             std::size_t number)
{
    const char* at = line.data();
    const char* const end = at + line.size();
    for (std::uint32_t head = 0; head < count; ++head) {
        if (head > 0 && (at == end || *at++ != '\t'))
            damaged(number);
        float score = 0;
        const auto [next, error] = std::from_chars(at, end, score);
        if (error != std::errc() || !std::isfinite(score))
            damaged(number);
        scores.push_back(score);
        at = next;
    }
    if (at != end)
        damaged(number);
}

} // namespace

std::string writeHeadTable(const HeadTableOrigin& origin, const std::vector<float>& scores)
{
    std::string text = std::string(kFirstLine) + "\n" + std::string(kModelLine) + origin.model +
                       "\n" + std::string(kRopeLine) + origin.rope + "\n";
    std::array<char, 32> number{};
    for (std::size_t i = 0; i < scores.size(); ++i) {
        const auto written = std::to_chars(number.data(), number.data() + number.size(), scores[i]);
        text.append(number.data(), written.ptr);
        text += (i + 1) % origin.kvHeads == 0 ? '\n' : '\t';
    }
    return text;
}

std::vector<float> readHeadTable(std::string_view text, const HeadTableOrigin& expected)
{
    Lines lines(text);
    if (lines.next() != kFirstLine)
        damaged(lines.number());
    const std::string_view model = lines.nextAfter(kModelLine);
    const std::string_view rope = lines.nextAfter(kRopeLine);
    if (rope != expected.rope) {
        throw Error(ErrorCode::Mismatch, "The head table was measured with other positions (" +
                                             std::string(rope) + ") than the model has now (" +
                                             expected.rope +
                                             "). Measure it again with the command head-table.");
    }
    if (model != expected.model) {
        throw Error(ErrorCode::Mismatch,
                    "The head table was measured on another model. Measure it again with the "
                    "command head-table, or name the model that it was measured on.");
    }
    std::vector<float> scores;
    for (std::uint32_t layer = 0; layer < expected.layers; ++layer) {
        const std::string_view line = lines.next();
        readRow(scores, line, expected.kvHeads, lines.number());
    }
    if (!lines.atEnd())
        damaged(lines.number() + 1);
    return scores;
}

} // namespace engine
