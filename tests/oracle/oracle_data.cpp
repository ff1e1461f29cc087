#include "tests/oracle/oracle_data.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace tests {
namespace {

const std::filesystem::path kModels = std::filesystem::path(SHARED_DIR) / "goldens" / "models";
const std::filesystem::path kData = std::filesystem::path(SOURCE_DIR) / "tests" / "oracle" / "data";

OracleCase readCase(const nlohmann::json& from)
{
    OracleCase one;
    one.method = from["method"];
    one.settings = from["settings"];
    one.keep = from["keep"];
    for (const auto& layer : from["kept"]) {
        one.kept.emplace_back();
        for (const auto& head : layer)
            one.kept.back().push_back(parseRanges(head.get<std::string>()));
    }
    const nlohmann::json ties = from.value("ties", nlohmann::json::object());
    for (std::size_t layer = 0; layer < one.kept.size(); ++layer) {
        one.ties.emplace_back();
        for (std::size_t head = 0; head < one.kept[layer].size(); ++head) {
            const std::string place = std::to_string(layer) + " " + std::to_string(head);
            one.ties.back().push_back(parseRanges(ties.value(place, "")));
        }
    }
    one.mass = from["mass"].get<std::vector<std::vector<double>>>();
    one.logits = from["logits"].get<std::vector<float>>();
    return one;
}

Oracle readOracle(const std::filesystem::path& path)
{
    std::ifstream stream(path);
    const auto from = nlohmann::json::parse(stream);
    Oracle oracle;
    oracle.model = from["model"];
    oracle.modelFile = kModels / (oracle.model + ".gguf");
    from["document"].get_to(oracle.document);
    from["question"].get_to(oracle.question);
    from["voting rows"].get_to(oracle.votingRows);
    from["logit step"].get_to(oracle.logitStep);
    from["kvzip"]["prefix"].get_to(oracle.kvzip.prefix);
    from["kvzip"]["suffix"].get_to(oracle.kvzip.suffix);
    from["kvzip"]["first"].get_to(oracle.kvzip.first);
    from["kvzip"]["later"].get_to(oracle.kvzip.later);
    for (const auto& each : from["cases"])
        oracle.cases.push_back(readCase(each));
    return oracle;
}

} // namespace

std::vector<OracleCase> Oracle::of(const std::string& method) const
{
    std::vector<OracleCase> found;
    std::ranges::copy_if(cases, std::back_inserter(found),
                         [&](const OracleCase& each) { return each.method == method; });
    INFO(model, ": ", method);
    REQUIRE(!found.empty());
    return found;
}

std::vector<Oracle> readOracles()
{
    if (!std::filesystem::exists(kModels)) {
        MESSAGE("SKIPPED: the golden models are not at " << kModels.string());
        return {};
    }
    std::vector<Oracle> oracles;
    for (const char* name :
         {"llama-gqa-f32", "llama-mha-f32", "llama-nemo-f32", "llama-yarn-f32", "qwen2-f32"})
        oracles.push_back(readOracle(kData / (std::string(name) + ".json")));
    return oracles;
}

std::vector<std::uint32_t> parseRanges(const std::string& text)
{
    std::vector<std::uint32_t> indices;
    std::istringstream stream(text);
    std::string part;
    while (stream >> part) {
        const std::size_t dash = part.find('-');
        const auto first = static_cast<std::uint32_t>(std::stoul(part));
        const auto last = dash == std::string::npos
                              ? first
                              : static_cast<std::uint32_t>(std::stoul(part.substr(dash + 1)));
        for (std::uint32_t index = first; index <= last; ++index)
            indices.push_back(index);
    }
    return indices;
}

} // namespace tests
