#include "tests/app/cli/sample_library.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <stdexcept>

namespace tests {
namespace {

constexpr std::array kPeople{"The harbour master", "A widow",  "The apprentice", "Our cousin",
                             "The beekeeper",      "A lodger", "The ferryman",   "An old pilot"};
constexpr std::array kDeeds{"weighed", "opened", "returned", "found",
                            "sealed",  "lent",   "copied",   "hid"};
constexpr std::array kTimes{"at noon",     "in silence", "by lamplight", "before the tide",
                            "without ink", "on Monday",  "with care",    "after supper"};

} // namespace

std::string makeSampleText(std::size_t words, std::uint32_t seed)
{
    const auto next = [&seed] {
        seed = seed * 1664525U + 1013904223U;
        return seed >> 16U;
    };
    std::string text;
    for (std::size_t written = 0; written < words; written += 10) {
        text += std::string(kPeople[next() % kPeople.size()]) + " of house " +
                std::to_string(next() % 9973) + " " + kDeeds[next() % kDeeds.size()] + " letter " +
                std::to_string(next() % 9973) + " " + kTimes[next() % kTimes.size()] + " " +
                std::to_string(next() % 9973) + ".";
        text += next() % 4 == 0 ? "\n\n" : " ";
    }
    return text;
}

void writeFile(const std::filesystem::path& path, const std::string& bytes)
{
    std::ofstream stream(path, std::ios::binary);
    stream << bytes;
    if (!stream.flush())
        throw std::runtime_error("cannot write " + path.string());
}

std::vector<std::string> SampleLibrary::command(std::vector<std::string> words) const
{
    words.insert(words.end(), {"--data-dir", m_folder.string()});
    return words;
}

Finished SampleLibrary::run(std::vector<std::string> words) const
{
    words.emplace_back("--json");
    return tests::run(command(std::move(words)));
}

nlohmann::json SampleLibrary::result(std::vector<std::string> words) const
{
    const Finished finished = run(std::move(words));
    if (finished.code != 0)
        throw std::runtime_error(finished.err);
    return finished.json();
}

app::RecordId SampleLibrary::import(const std::filesystem::path& file) const
{
    return result({"import", file.string()}).at("documents").at(0).at("id");
}

app::RecordId SampleLibrary::prepare(app::RecordId document,
                                     const std::vector<std::string>& options) const
{
    std::vector<std::string> words{"prepare", std::to_string(document)};
    words.insert(words.end(), options.begin(), options.end());
    if (std::ranges::find(options, "--model") == options.end())
        words.insert(words.end(), {"--model", BINARY_DIR "/resources/constructed-reader.gguf"});
    return result(std::move(words)).at("context");
}

} // namespace tests
