#include "app/cli/commands.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace app {
namespace {

using nlohmann::json;
using Rows = std::vector<std::vector<std::string>>;

/// "64", "0.25": no digits that say nothing.
std::string shortNumber(double value)
{
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.10g", value);
    return buffer.data();
}

/// A parameter's description ends with its unit in brackets, if it has one.
struct Meaning
{
    std::string text;
    std::string unit;
};

Meaning meaningOf(const engine::MethodParameter& parameter)
{
    const std::string& text = parameter.description;
    const std::size_t open = text.rfind(" (");
    if (open == std::string::npos || !text.ends_with(')'))
        return {text, ""};
    return {text.substr(0, open), text.substr(open + 2, text.size() - open - 3)};
}

json parametersJson(const std::vector<engine::MethodParameter>& parameters)
{
    json list = json::array();
    for (const engine::MethodParameter& parameter : parameters) {
        const Meaning meaning = meaningOf(parameter);
        list.push_back({{"key", parameter.key},
                        {"description", meaning.text},
                        {"unit", meaning.unit},
                        {"minimum", parameter.minimum},
                        {"maximum", parameter.maximum},
                        {"default", parameter.defaultValue},
                        {"words", parameter.words}});
    }
    return list;
}

json methodJson(const engine::MethodInfo& method)
{
    return {{"id", method.id},
            {"title", method.title},
            {"description", method.description},
            {"source", method.source},
            {"query_agnostic", method.queryAgnostic},
            {"needs",
             {{"question", !method.queryAgnostic},
              {"training", method.needsTraining},
              {"extra_passes", method.extraPasses}}},
            {"uses_keep", method.usesKeep},
            {"parameters", parametersJson(method.parameters)},
            {"stages", method.stages}};
}

json stageJson(const engine::StageInfo& stage)
{
    return {{"id", stage.id},
            {"kind", stage.kind},
            {"description", stage.description},
            {"source", stage.source},
            {"parameters", parametersJson(stage.parameters)}};
}

std::string joined(const std::vector<std::string>& words)
{
    std::string text;
    for (const std::string& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text.empty() ? "-" : text;
}

void addParameters(Rows& rows, const std::string& owner,
                   const std::vector<engine::MethodParameter>& parameters)
{
    for (const engine::MethodParameter& parameter : parameters) {
        const Meaning meaning = meaningOf(parameter);
        const bool isChoice = !parameter.words.empty();
        rows.push_back(
            {owner, parameter.key,
             isChoice ? parameter.words[static_cast<std::size_t>(parameter.defaultValue)]
                      : shortNumber(parameter.defaultValue),
             isChoice ? joined(parameter.words)
                      : shortNumber(parameter.minimum) + " to " + shortNumber(parameter.maximum),
             meaning.unit.empty() ? "-" : meaning.unit, meaning.text});
    }
}

/// What every method has is listed once.
std::vector<engine::MethodParameter> takeCommon(std::vector<engine::MethodInfo>& methods)
{
    std::vector<engine::MethodParameter> common;
    for (const engine::MethodParameter& parameter : methods.front().parameters) {
        const auto has = [&](const engine::MethodInfo& method) {
            return std::ranges::find(method.parameters, parameter.key,
                                     &engine::MethodParameter::key) != method.parameters.end();
        };
        if (std::ranges::all_of(methods, has))
            common.push_back(parameter);
    }
    for (engine::MethodInfo& method : methods) {
        std::erase_if(method.parameters, [&](const engine::MethodParameter& parameter) {
            return std::ranges::find(common, parameter.key, &engine::MethodParameter::key) !=
                   common.end();
        });
    }
    return common;
}

} // namespace

void listMethods(const CommonOptions& common)
{
    const Output output = outputOf(common);
    std::vector<engine::MethodInfo> methods = engine::methods();
    const std::vector<engine::StageInfo> stages = engine::stages();
    json methodList = json::array();
    json stageList = json::array();
    Rows overview{{"METHOD", "QUESTION", "TRAINING", "EXTRA PASSES", "STAGES", "TITLE"}};
    Rows parameters{{"OF", "--set", "DEFAULT", "RANGE", "UNIT", "MEANING"}};
    Rows sources{{"METHOD", "SOURCE", "WHAT IT DOES"}};
    for (const engine::MethodInfo& method : methods)
        methodList.push_back(methodJson(method));
    addParameters(parameters, "every method", takeCommon(methods));
    for (const engine::MethodInfo& method : methods) {
        overview.push_back({method.id, method.queryAgnostic ? "not needed" : "made for one",
                            method.needsTraining ? "needed" : "-", shortNumber(method.extraPasses),
                            joined(method.stages), method.title});
        addParameters(parameters, method.id, method.parameters);
        sources.push_back({method.id, method.source, method.description});
    }
    Rows stageRows{{"STAGE", "KIND", "WHAT IT DOES", "SOURCE"}};
    for (const engine::StageInfo& stage : stages) {
        stageList.push_back(stageJson(stage));
        stageRows.push_back(
            {stage.id, stage.kind, stage.description, stage.source.empty() ? "-" : stage.source});
        addParameters(parameters, "+" + stage.id, stage.parameters);
    }
    output.value({{"methods", methodList}, {"stages", stageList}});
    output.table(overview);
    output.line("\nStages stand behind a method with a plus sign: --method snapkv+adakv");
    output.table(stageRows);
    output.line("\nSettings: --set key=value");
    output.table(parameters);
    output.line("");
    output.table(sources);
}

} // namespace app
