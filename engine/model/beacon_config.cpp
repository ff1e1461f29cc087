#include "engine/model/beacon.h"

#include <algorithm>
#include <array>

namespace engine {
namespace {

constexpr std::uint64_t kMaxWindow = 65'536;
constexpr std::array<std::uint32_t, 5> kRatios{2, 4, 8, 16, 32};
constexpr std::string_view kLetters = "qkvo";

/// A value as it stands in a sentence.
std::string shown(const JsonValue& value)
{
    if (const auto* text = value.text())
        return jsonString(*text);
    if (const auto* number = value.whole())
        return std::to_string(*number);
    if (const auto* flag = value.boolean())
        return *flag ? "true" : "false";
    return value.array() != nullptr ? "a list" : "something else";
}

class ConfigReader
{
public:
    ConfigReader(const JsonValue& json, const std::string& name)
        : m_json(json)
        , m_name(name)
    {}

    /// Throws unless the key has this text, or is missing where that is allowed.
    void requireText(const char* key, std::string_view wanted, bool mayBeMissing) const
    {
        const JsonValue* value = m_json.find(key);
        if (value == nullptr ? !mayBeMissing : value->text() == nullptr || *value->text() != wanted)
            refuse(key, value, jsonString(wanted));
    }

    void requireWhole(const char* key, std::uint64_t wanted) const
    {
        const JsonValue* value = m_json.find(key);
        if (value != nullptr && (value->whole() == nullptr || *value->whole() != wanted))
            refuse(key, value, std::to_string(wanted));
    }

    void requireTrue(const char* key) const
    {
        const JsonValue* value = m_json.find(key);
        if (value != nullptr && (value->boolean() == nullptr || !*value->boolean()))
            refuse(key, value, "true");
    }

    std::uint32_t whole(const char* key, std::uint64_t minimum, std::uint64_t maximum,
                        std::uint32_t fallback) const
    {
        const JsonValue* value = m_json.find(key);
        if (value == nullptr)
            return fallback;
        if (value->whole() == nullptr || *value->whole() < minimum || *value->whole() > maximum) {
            refuse(key, value,
                   "a number from " + std::to_string(minimum) + " to " + std::to_string(maximum));
        }
        return static_cast<std::uint32_t>(*value->whole());
    }

    std::vector<std::uint32_t> ratios(std::uint32_t window) const
    {
        const JsonValue* value = m_json.find("beacon_ratio");
        if (value == nullptr)
            return {kRatios.begin(), kRatios.end()};
        const JsonValue::Array one{*value};
        std::vector<std::uint32_t> ratios;
        for (const JsonValue& each : value->array() != nullptr ? *value->array() : one) {
            const std::uint64_t ratio = each.whole() == nullptr ? 1 : *each.whole();
            // 0 stands for rows that stay as they are, which need no training.
            if (ratio != 0 &&
                (std::ranges::find(kRatios, ratio) == kRatios.end() || window % ratio != 0))
                refuse("beacon_ratio", &each,
                       "0, or one of 2, 4, 8, 16 and 32 that divides the window of " +
                           std::to_string(window));
            ratios.push_back(static_cast<std::uint32_t>(ratio));
        }
        std::ranges::sort(ratios);
        ratios.erase(std::unique(ratios.begin(), ratios.end()), ratios.end());
        if (ratios.empty() || ratios.back() == 0)
            refuse("beacon_ratio", value, "a list with at least one of 2, 4, 8, 16 and 32");
        return ratios;
    }

    std::string projections() const
    {
        const JsonValue* value = m_json.find("beacon_param");
        std::string letters;
        if (value == nullptr)
            return letters;
        const std::string allowed = "a list of the letters q, k, v and o";
        if (value->array() == nullptr)
            refuse("beacon_param", value, allowed);
        for (const JsonValue& each : *value->array()) {
            if (each.text() == nullptr || each.text()->size() != 1 ||
                kLetters.find(*each.text()) == std::string_view::npos)
                refuse("beacon_param", &each, allowed);
            if (letters.find(*each.text()) == std::string::npos)
                letters += *each.text();
        }
        return letters;
    }

    void requireModel(const char* key, std::uint32_t actual, const std::string& model) const
    {
        const JsonValue* value = m_json.find(key);
        if (value != nullptr && (value->whole() == nullptr || *value->whole() != actual)) {
            throw Error(ErrorCode::Mismatch,
                        m_name + " belongs to another model: its " + key + " is " + shown(*value) +
                            ", but " + model + " has " + std::to_string(actual) +
                            ". Put the parameters that were trained for this model beside it.");
        }
    }

private:
    [[noreturn]] void refuse(const char* key, const JsonValue* value,
                             const std::string& allowed) const
    {
        throw Error(ErrorCode::Unsupported, m_name + " cannot be used: its " + key + " is " +
                                                (value == nullptr ? "missing" : shown(*value)) +
                                                ", but must be " + allowed +
                                                ". Choose a checkpoint of that kind.");
    }

    const JsonValue& m_json;
    const std::string& m_name;
};

} // namespace

std::uint64_t beaconParameterCount(const ModelConfig& model, std::string_view projections)
{
    const std::uint64_t queryRows = std::uint64_t{model.heads} * model.headDim;
    const std::uint64_t keyRows = std::uint64_t{model.kvHeads} * model.headDim;
    const std::uint64_t perRow = std::uint64_t{model.width} + (model.qkvBias ? 1 : 0);
    std::uint64_t perLayer = 0;
    for (const char letter : projections) {
        if (letter == 'o')
            perLayer += queryRows * model.width;
        else
            perLayer += (letter == 'q' ? queryRows : keyRows) * perRow;
    }
    return model.width + model.layers * perLayer;
}

BeaconConfig readBeaconConfig(const JsonValue& json, const std::string& name,
                              const ModelConfig& model)
{
    const ConfigReader reader(json, name);
    reader.requireModel("hidden_size", model.width, model.name);
    reader.requireModel("num_hidden_layers", model.layers, model.name);
    reader.requireModel("num_attention_heads", model.heads, model.name);
    reader.requireModel("num_key_value_heads", model.kvHeads, model.name);
    // Checkpoints of the method's first generation lack the key or have "append".
    reader.requireText("beacon_pos", "interleave", false);
    reader.requireText("beacon_attn", "full-coverage", true);
    reader.requireTrue("beacon_attend_prev");
    reader.requireWhole("beacon_parallel_window", 1);
    BeaconConfig config;
    config.window = reader.whole("beacon_window", 1, kMaxWindow, config.window);
    reader.requireWhole("beacon_stride", config.window);
    config.sinks = reader.whole("beacon_sink_size", 0, config.window, 0);
    config.ratios = reader.ratios(config.window);
    config.projections = reader.projections();
    return config;
}

} // namespace engine
