#include "engine/eval/answers.h"

#include "engine/eval/csv.h"

#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace engine {
namespace {

constexpr const char* kHeader = "task,length,method,keep,document,question,wanted,said,exact,f1";
constexpr std::size_t kKeyFields = 4; // task, length, method, keep

std::vector<std::string> fieldsOf(const EvalAnswer& answer)
{
    return {answer.task,
            std::to_string(answer.unit.length),
            answer.unit.method,
            csvNumber(answer.unit.keep),
            std::to_string(answer.document),
            answer.question,
            answer.wanted,
            answer.said,
            answer.isExact ? "1" : "0",
            csvNumber(answer.f1)};
}

std::string keyOf(std::vector<std::string> fields)
{
    fields.resize(kKeyFields);
    return csvLine(fields);
}

/// Lines of the file that were written to their end, less the header and those of `keys`.
std::string otherLines(const std::filesystem::path& file, const std::set<std::string>& keys)
{
    std::ifstream stream(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    std::string kept;
    for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
        const std::string line = text.substr(begin, end - begin);
        if (line != kHeader && !keys.contains(keyOf(csvFields(line))))
            kept += line + "\n";
    }
    return kept;
}

} // namespace

void EvalAnswerFile::replace(const std::vector<EvalAnswer>& answers) const
{
    if (answers.empty())
        return;
    std::set<std::string> keys;
    std::string lines;
    for (const EvalAnswer& answer : answers) {
        const std::vector<std::string> fields = fieldsOf(answer);
        keys.insert(keyOf(fields));
        lines += csvLine(fields);
    }
    const std::filesystem::path part = m_file.string() + ".part";
    std::ofstream stream(part, std::ios::binary | std::ios::trunc);
    stream << kHeader << "\n" << otherLines(m_file, keys) << lines;
    stream.close();
    std::error_code error;
    if (stream)
        std::filesystem::rename(part, m_file, error);
    if (!stream || error) {
        throw Error(ErrorCode::DiskFull,
                    "The answers cannot be written to " + m_file.string() +
                        ". Free some space or choose another folder with --out.");
    }
}

} // namespace engine
