// RoPE scaling as a setting of a preparation (structural.md 2): position interpolation (Chen et
// al. 2023, arXiv 2306.15595), NTK-aware base (static, so that cached keys stay valid) and YaRN
// (Peng et al. 2023, arXiv 2309.00071). The choice is made once, from the document's length, and
// belongs to the context: a cache filled under one table is useless under another.

#include "engine/methods/rope_settings.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace engine {
namespace {

constexpr const char* kScaling = "rope";
constexpr const char* kFactor = "rope-factor";
constexpr double kLargestFactor = 1024;

/// In the order of the words of the setting.
constexpr std::array kScalings{RopeScaling::None, RopeScaling::Linear, RopeScaling::Ntk,
                               RopeScaling::Yarn};

RopeScaling scalingOf(const std::map<std::string, double>& settings)
{
    const auto found = settings.find(kScaling);
    const double value = found == settings.end() ? 0 : found->second;
    if (!(value >= 0 && value < static_cast<double>(kScalings.size())))
        throw Error(ErrorCode::Damaged, "The stored setting rope is damaged. Prepare the document "
                                        "again.");
    return kScalings[static_cast<std::size_t>(value)];
}

/// At least 1, whatever a damaged file says.
double factorOf(const std::map<std::string, double>& settings)
{
    const auto found = settings.find(kFactor);
    const bool isFactor =
        found != settings.end() && found->second >= 1 && found->second <= kLargestFactor;
    return isFactor ? found->second : 1;
}

void checkChoice(const DocumentPlan& plan, const ModelConfig& model)
{
    const double factor = plan.setting(kFactor);
    if (scalingOf(plan.settings) == RopeScaling::None) {
        if (factor > 1) {
            throw Error(ErrorCode::BadInput,
                        "The setting rope-factor needs a scaling: rope=linear, ntk or yarn.");
        }
        return;
    }
    if (factor != 0 && factor < 1) {
        throw Error(ErrorCode::BadInput, "The setting rope-factor must be 0 (as much as the "
                                         "document needs) or between 1 and 1024.");
    }
    if (model.rope.scaling != RopeScaling::None) {
        throw Error(ErrorCode::BadInput, "The file of the model " + model.name +
                                             " stretches its positions already. Use rope=none.");
    }
}

} // namespace

std::vector<MethodParameter> ropeParameters()
{
    return {{.key = kScaling,
             .description = "how positions are stretched over a text longer than the window",
             .minimum = 0,
             .maximum = kScalings.size() - 1.0,
             .defaultValue = 0,
             .words = {"none", "linear", "ntk", "yarn"}},
            {.key = kFactor,
             .description = "by how much; 0: the smallest power of two that is enough",
             .minimum = 0,
             .maximum = kLargestFactor,
             .defaultValue = 0}};
}

void resolveRopeFactor(DocumentPlan& plan, const ModelConfig& model, const MethodEntry& entry,
                       std::uint64_t room)
{
    checkChoice(plan, model);
    double& factor = plan.settings[kFactor];
    const bool isScaled = scalingOf(plan.settings) != RopeScaling::None;
    const bool isAutomatic = isScaled && factor == 0;
    factor = std::max(factor, 1.0);
    while (true) {
        plan.contextLength = static_cast<std::uint32_t>(windowOf(model, plan.settings));
        if (!isAutomatic)
            return;
        try {
            const std::uint64_t positions =
                entry.positions ? entry.positions(plan) : plan.totalRows();
            if (positions + room <= plan.contextLength || 2 * factor > kLargestFactor)
                return;
        } catch (const Error& error) {
            if (error.code() != ErrorCode::TooLarge || 2 * factor > kLargestFactor)
                throw;
        }
        factor *= 2;
    }
}

RopeConfig ropeOf(const ModelConfig& model, const std::map<std::string, double>& settings)
{
    RopeConfig config = model.rope;
    const RopeScaling scaling = scalingOf(settings);
    if (scaling == RopeScaling::None)
        return config;
    config.scaling = scaling;
    config.factor = factorOf(settings);
    config.originalContext = model.contextLength;
    config.contextLength = windowOf(model, settings);
    return config;
}

std::shared_ptr<const RopeTable> tableOf(const ModelConfig& model,
                                         const std::map<std::string, double>& settings)
{
    if (scalingOf(settings) == RopeScaling::None)
        return nullptr;
    return std::make_shared<const RopeTable>(makeRopeTable(ropeOf(model, settings)));
}

std::uint64_t windowOf(const ModelConfig& model, const std::map<std::string, double>& settings)
{
    constexpr double kMost = 1U << 30U; // positions are 32-bit numbers
    const double window = std::floor(model.contextLength * factorOf(settings));
    return static_cast<std::uint64_t>(std::min(window, kMost));
}

} // namespace engine
