#include "engine/methods/method.h"

#include <algorithm>
#include <cmath>

namespace engine {

const std::vector<MethodEntry>& methodTable()
{
    static const std::vector<MethodEntry> kTable{
        kvzipMethod(),
        kvzipPlusMethod(),
        kvzipHeadMethod(),
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
        activationBeaconMethod(),
        podMethod(),
        claMethod(),
        llmlinguaMethod(),
        randomMethod(),
        fullMethod(),
        // A new method: its file, its declaration in method.h, a line here.
    };
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
    std::string allowed;
    for (const MethodParameter& parameter : info.parameters) {
        settings[parameter.key] = parameter.defaultValue;
        allowed += (allowed.empty() ? "" : ", ") + parameter.key;
    }
    for (const auto& [key, value] : given) {
        const auto parameter = std::ranges::find(info.parameters, key, &MethodParameter::key);
        if (parameter == info.parameters.end()) {
            throw Error(
                ErrorCode::BadInput,
                "The method " + info.id + " has no setting \"" + key + "\". " +
                    (allowed.empty() ? "It has none." : "Its settings are: " + allowed + "."));
        }
        if (!(value >= parameter->minimum && value <= parameter->maximum)) {
            throw Error(ErrorCode::BadInput,
                        "The setting " + key + " of " + info.id + " must be between " +
                            std::to_string(static_cast<long long>(parameter->minimum)) + " and " +
                            std::to_string(static_cast<long long>(parameter->maximum)) + ".");
        }
        settings[key] = value;
    }
    return settings;
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
