#pragma once

#include "engine/backend/backend.h"
#include "engine/engine.h"
#include "engine/model/beacon.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"
#include "engine/run/transformer.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"

#include <memory>

namespace engine {

/// A model ready to run: everything that preparations and conversations share.
class LoadedModel
{
public:
    /// Throws Error.
    LoadedModel(const std::filesystem::path& path, const LoadOptions& options);

    const ModelInfo& info() const { return m_info; }
    const ModelConfig& config() const { return m_config; }
    const Weights& weights() const { return m_weights; }
    const Tokenizer& tokenizer() const { return *m_tokenizer; }
    /// Null when the file has none.
    const std::shared_ptr<const ChatTemplate>& chatTemplate() const { return m_template; }
    const std::string& identity() const { return m_identity; }
    /// The beacon parameters beside the model, read at the first call; their rows have the weight
    /// set kBeaconWeightSet. Throws BadInput when there are none, else as loadBeacon().
    const BeaconParameters& beacon();
    static constexpr std::uint8_t kBeaconWeightSet = 1;
    Backend& backend() { return *m_backend; }
    const Backend& backend() const { return *m_backend; }
    Transformer& transformer() { return *m_transformer; }
    KvShape kvShape() const { return {m_config.layers, m_config.kvHeads, m_config.headDim}; }

private:
    std::string computeIdentity() const;

    ModelInfo m_info;
    ModelConfig m_config;
    Weights m_weights;
    std::optional<BeaconParameters> m_beacon;
    std::unique_ptr<const Tokenizer> m_tokenizer;
    std::shared_ptr<const ChatTemplate> m_template;
    std::unique_ptr<Backend> m_backend;
    std::unique_ptr<Transformer> m_transformer;
    std::string m_identity;
};

/// Facts of an opened file; fills unsupportedReason instead of throwing for a model of an unknown
/// kind.
ModelInfo describeModel(const std::filesystem::path& path, const GgufFile& file);

} // namespace engine
