#include "tests/engine/text/template_cases.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace tests {

namespace {

using Json = nlohmann::ordered_json;

std::string readFile(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

engine::TemplateValue toValue(const Json& json)
{
    switch (json.type()) {
    case Json::value_t::boolean:
        return {json.get<bool>()};
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
        return {json.get<std::int64_t>()};
    case Json::value_t::number_float:
        return {json.get<double>()};
    case Json::value_t::string:
        return {json.get<std::string>()};
    case Json::value_t::array: {
        engine::TemplateValue::Array items;
        std::transform(json.begin(), json.end(), std::back_inserter(items), toValue);
        return {items};
    }
    case Json::value_t::object: {
        engine::TemplateValue::Object entries;
        for (const auto& [key, value] : json.items()) {
            entries.emplace_back(key, toValue(value));
        }
        return {entries};
    }
    default:
        return {};
    }
}

TemplateCase toCase(const Json& json, const Json& tokens)
{
    TemplateCase result;
    result.isError = json.contains("error");
    result.expected = json.at(result.isError ? "error" : "output").get<std::string>();
    const std::string exception = "TemplateError: "; // what raise_exception throws
    if (result.isError) {
        const bool isRaised = result.expected.starts_with(exception);
        result.expected = isRaised ? result.expected.substr(exception.size()) : std::string();
    }
    for (const auto& [key, value] : json.items()) {
        if (key != "output" && key != "error") {
            result.variables.emplace_back(key, toValue(value));
        }
    }
    for (const char* token : {"bos_token", "eos_token"}) {
        result.variables.emplace_back(token, toValue(tokens.at(token)));
    }
    result.description = json.dump();
    return result;
}

} // namespace

std::vector<TemplateFile> goldenTemplates()
{
    const std::filesystem::path folder = std::filesystem::path(SHARED_DIR) / "goldens" / "chat";
    std::vector<TemplateFile> files;
    if (!std::filesystem::is_directory(folder)) {
        return files;
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != ".jinja") {
            continue;
        }
        TemplateFile file{entry.path().stem().string(), readFile(entry.path()), {}};
        const Json json =
            Json::parse(readFile(std::filesystem::path(entry.path()).replace_extension(".json")));
        for (const Json& c : json.at("cases")) {
            file.cases.push_back(toCase(c, json));
        }
        files.push_back(std::move(file));
    }
    std::sort(files.begin(), files.end(),
              [](const auto& a, const auto& b) { return a.name < b.name; });
    return files;
}

} // namespace tests
