#include "engine/eval/results.h"

#include "engine/eval/csv.h"
#include "engine/eval/scoring.h"

#include <algorithm>
#include <fstream>
#include <iterator>

namespace engine {
namespace {

constexpr const char* kHeader =
    "setup,task,length,method,keep,documents,tokens,questions,exact,exact_share,low_95,high_95,f1,"
    "kept_fraction,bytes_stored,bytes_full,prepare_seconds,ask_seconds,refusal";

std::string lineOf(const std::string& setup, const EvalCell& cell)
{
    const Interval interval = wilsonInterval(cell.exact, cell.questions);
    const double share = cell.questions == 0 ? 0 : static_cast<double>(cell.exact) / cell.questions;
    return csvLine({setup, cell.task, std::to_string(cell.length), cell.method,
                    csvNumber(cell.keep), std::to_string(cell.documents),
                    std::to_string(cell.tokens), std::to_string(cell.questions),
                    std::to_string(cell.exact), csvNumber(share), csvNumber(interval.low),
                    csvNumber(interval.high), csvNumber(cell.f1), csvNumber(cell.keptFraction),
                    std::to_string(cell.bytesStored), std::to_string(cell.bytesFull),
                    csvNumber(cell.prepareSeconds), csvNumber(cell.askSeconds), cell.refusal});
}

/// Throws std::exception when a number is none.
EvalCell cellOf(const std::vector<std::string>& fields)
{
    EvalCell cell;
    cell.task = fields.at(1);
    cell.length = std::stoull(fields.at(2));
    cell.method = fields.at(3);
    cell.keep = std::stod(fields.at(4));
    cell.documents = static_cast<std::uint32_t>(std::stoul(fields.at(5)));
    cell.tokens = std::stoull(fields.at(6));
    cell.questions = static_cast<std::uint32_t>(std::stoul(fields.at(7)));
    cell.exact = static_cast<std::uint32_t>(std::stoul(fields.at(8)));
    cell.f1 = std::stod(fields.at(12));
    cell.keptFraction = std::stod(fields.at(13));
    cell.bytesStored = std::stoull(fields.at(14));
    cell.bytesFull = std::stoull(fields.at(15));
    cell.prepareSeconds = std::stod(fields.at(16));
    cell.askSeconds = std::stod(fields.at(17));
    cell.refusal = fields.at(18);
    return cell;
}

void write(const std::filesystem::path& file, const std::string& text, std::ios::openmode mode)
{
    std::ofstream stream(file, std::ios::binary | mode);
    stream << text;
    if (!stream.flush()) {
        throw Error(ErrorCode::DiskFull,
                    "The results cannot be written to " + file.string() +
                        ". Free some space or choose another folder with --out.");
    }
}

} // namespace

EvalResults::EvalResults(std::filesystem::path folder, std::string setup, bool resume)
    : m_folder(std::move(folder))
    , m_setup(std::move(setup))
{
    std::error_code error;
    std::filesystem::create_directories(m_folder, error);
    if (error) {
        throw Error(ErrorCode::ReadOnly, "The folder " + m_folder.string() +
                                             " cannot be made. Choose another one with --out.");
    }
    std::string text = std::string(kHeader) + "\n";
    if (std::filesystem::exists(csvFile(), error)) {
        if (!resume) {
            throw Error(ErrorCode::BadInput,
                        "The folder " + m_folder.string() +
                            " holds results already. Add --resume to go on with them, or choose "
                            "another folder.");
        }
        std::ifstream stream(csvFile(), std::ios::binary);
        text.assign(std::istreambuf_iterator<char>(stream), {});
        text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
        read(text);
    }
    write(csvFile(), text, std::ios::trunc);
}

void EvalResults::read(const std::string& text)
{
    std::size_t begin = 0;
    for (std::size_t line = 0; begin < text.size(); ++line) {
        const std::size_t end = text.find('\n', begin);
        const std::string each = text.substr(begin, end - begin);
        begin = end + 1;
        const std::vector<std::string> fields = csvFields(each);
        try {
            if (line == 0 && each != kHeader)
                throw std::invalid_argument(each);
            if (line == 0)
                continue;
            put(cellOf(fields));
        } catch (const std::exception&) {
            throw Error(ErrorCode::Damaged, "Line " + std::to_string(line + 1) + " of " +
                                                csvFile().string() +
                                                " is not a result. Choose another folder.");
        }
        if (fields[0] != m_setup) {
            throw Error(ErrorCode::Mismatch, "The folder " + m_folder.string() +
                                                 " holds results of \"" + fields[0] +
                                                 "\", and these would be of \"" + m_setup +
                                                 "\". Choose another folder.");
        }
    }
}

bool EvalResults::has(const EvalUnit& unit, const std::vector<std::string>& tasks,
                      std::uint32_t documents) const
{
    return std::ranges::all_of(tasks, [&](const std::string& task) {
        return std::ranges::any_of(m_cells, [&](const EvalCell& cell) {
            return cell.task == task && cell.length == unit.length && cell.method == unit.method &&
                   csvNumber(cell.keep) == csvNumber(unit.keep) && cell.documents >= documents;
        });
    });
}

void EvalResults::append(const std::vector<EvalCell>& cells)
{
    std::string lines;
    for (const EvalCell& cell : cells)
        lines += lineOf(m_setup, cell);
    write(csvFile(), lines, std::ios::app);
    for (const EvalCell& cell : cells)
        put(cell);
}

void EvalResults::put(const EvalCell& cell)
{
    std::erase_if(m_cells, [&](const EvalCell& old) { // asked again with more tasks or documents
        return old.task == cell.task && old.length == cell.length && old.method == cell.method &&
               csvNumber(old.keep) == csvNumber(cell.keep);
    });
    m_cells.push_back(cell);
}

void EvalResults::writeTable(const std::string& machine) const
{
    write(tableFile(), evalMarkdown(m_cells, m_setup, machine), std::ios::trunc);
}

} // namespace engine
