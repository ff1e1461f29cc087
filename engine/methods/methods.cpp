#include "engine/methods/method.h"
#include "engine/methods/rope_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>

namespace engine {

namespace {

std::vector<MethodEntry> makeTable()
{
    std::vector<MethodEntry> table{
        kvzipMethod(),
        kvzipPlusMethod(),
        kvzipHeadMethod(),
        duoAttentionMethod(),
        keydiffMethod(),
        expectedAttentionMethod(),
        compactorMethod(),
        snapkvMethod(),
        pyramidkvMethod(),
        tovaMethod(),
        h2oMethod(),
        observedAttentionMethod(),
        knormMethod(),
        streamingLlmMethod(),
        lmInfiniteMethod(),
        windowMethod(),
        activationBeaconMethod(),
        questMethod(),
        minferenceMethod(),
        homerMethod(),
        parallelWindowsMethod(),
        podMethod(),
        claMethod(),
        llmlinguaMethod(),
        gemfilterMethod(),
        randomMethod(),
        fullMethod(),
        // A new method: its file, its declaration in method.h, a line here.
    };
    for (MethodEntry& entry : table)
        std::ranges::copy(ropeParameters(), std::back_inserter(entry.info.parameters));
    return table;
}

std::string joined(const std::vector<std::string>& words)
{
    std::string text;
    for (const std::string& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

[[noreturn]] void refuseKey(const MethodInfo& info, const std::string& key)
{
    std::vector<std::string> known;
    for (const MethodParameter& parameter : info.parameters)
        known.push_back(parameter.key);
    throw Error(ErrorCode::BadInput, "The method " + info.id + " has no setting \"" + key +
                                         "\". Its settings are: " + joined(known) + ".");
}

} // namespace

const std::vector<MethodEntry>& methodTable()
{
    static const std::vector<MethodEntry> kTable = makeTable();
    return kTable;
}

std::vector<MethodInfo> methods()
{
    std::vector<MethodInfo> infos;
    for (const MethodEntry& entry : methodTable()) {
        infos.push_back(entry.info);
        infos.back().stages = allowedStages(entry);
    }
    return infos;
}

std::map<std::string, double> completeSettings(const MethodInfo& info,
                                               const std::map<std::string, double>& given)
{
    std::map<std::string, double> settings;
    for (const MethodParameter& parameter : info.parameters)
        settings[parameter.key] = parameter.defaultValue;
    for (const auto& [key, value] : given) {
        const auto parameter = std::ranges::find(info.parameters, key, &MethodParameter::key);
        if (parameter == info.parameters.end())
            refuseKey(info, key);
        if (!(value >= parameter->minimum && value <= parameter->maximum)) {
            throw Error(ErrorCode::BadInput,
                        "The setting " + key + " of " + info.id + " must be between " +
                            std::to_string(static_cast<long long>(parameter->minimum)) + " and " +
                            std::to_string(static_cast<long long>(parameter->maximum)) + ".");
        }
        if (!parameter->words.empty() && value != std::floor(value))
            throw Error(ErrorCode::BadInput, "The setting " + key + " of " + info.id +
                                                 " is a choice among: " + joined(parameter->words) +
                                                 ".");
        settings[key] = value;
    }
    return settings;
}

double parseSetting(const std::string& method, const std::string& key, const std::string& text)
{
    const MethodInfo info = findMethod(method).info;
    const auto parameter = std::ranges::find(info.parameters, key, &MethodParameter::key);
    if (parameter == info.parameters.end())
        refuseKey(info, key);
    const auto word = std::ranges::find(parameter->words, text);
    if (word != parameter->words.end())
        return static_cast<double>(word - parameter->words.begin());
    if (!parameter->words.empty()) {
        throw Error(ErrorCode::BadInput, "The setting " + key + " cannot be \"" + text +
                                             "\". Write one of: " + joined(parameter->words) + ".");
    }
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        throw Error(ErrorCode::BadInput, "\"" + text + "\" is not a number. Write --set " + key +
                                             "=number, for instance --set " + key + "=" +
                                             settingText(method, key, parameter->defaultValue) +
                                             ".");
    }
    return value;
}

std::string settingText(const std::string& method, const std::string& key, double value)
{
    for (const MethodEntry& entry : methodTable()) {
        if (entry.info.id != method.substr(0, method.find('+')))
            continue;
        const auto parameter = std::ranges::find(entry.info.parameters, key, &MethodParameter::key);
        if (parameter != entry.info.parameters.end() && value >= 0 &&
            value < static_cast<double>(parameter->words.size()))
            return parameter->words[static_cast<std::size_t>(value)];
    }
    std::array<char, 64> buffer{};
    const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    return {buffer.data(), result.ptr};
}

std::uint32_t DocumentPlan::keptPerHead() const
{
    const double exact = budget ? static_cast<double>(*budget) : keep * documentRows();
    const auto kept = static_cast<std::uint64_t>(std::floor(exact + 0.5));
    return static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(kept, std::min(1U, documentRows()), documentRows()));
}

std::uint64_t DocumentPlan::keptInAll() const
{
    const std::uint64_t cells = std::uint64_t{layers} * kvHeads;
    if (budget)
        return keptPerHead() * cells;
    const double all = static_cast<double>(documentRows()) * static_cast<double>(cells);
    const auto kept = static_cast<std::uint64_t>(std::floor(keep * all + 0.5));
    return std::clamp<std::uint64_t>(kept, std::min(1U, documentRows()), documentRows() * cells);
}

std::uint32_t DocumentPlan::pinnedRows() const
{
    std::uint32_t rows = 0;
    for (const kernels::EntryRange& range : pinned)
        rows += range.end - range.begin;
    return rows;
}

} // namespace engine
