#pragma once

#include "engine/dialog/prompt_tokens.h"
#include "engine/methods/method.h"
#include "engine/model/model.h"
#include "tests/oracle/oracle_data.h"

namespace tests {

/// A model with the document of an oracle, to which methods are applied as in a preparation, but
/// with token ids instead of text and all keys and values in float32.
class MethodRun
{
public:
    explicit MethodRun(const Oracle& oracle);

    /// What the engine's plan for the document looks like; may be changed before apply().
    engine::DocumentPlan plan(const std::string& method,
                              const std::map<std::string, double>& settings, double keep);

    /// The store after the method has read the document of the plan and dropped what it drops.
    engine::KvStore apply(const std::string& method, const engine::DocumentPlan& plan);
    engine::KvStore apply(const OracleCase& one);

    /// A store with everything, of which only the given rows are then kept.
    engine::KvStore keepOnly(const KeptLists& kept);

    /// The same with the kept keys turned to the positions 0, 1, ...
    engine::KvStore turnedToSlots(const KeptLists& kept);

    /// (layer, head) mean weight that the last rows of the document put on the given tokens when
    /// nothing is dropped.
    double mass(std::size_t layer, std::size_t head,
                const std::vector<std::uint32_t>& tokens) const;

    /// Every logitStep-th logit after the question, read behind the store's last position.
    std::vector<float> logitsAfter(engine::KvStore store);

    engine::LoadedModel& model() { return *m_model; }

private:
    const Oracle& m_oracle;
    std::shared_ptr<engine::LoadedModel> m_model;
    engine::PromptTokens m_prompts;
    engine::TokenisedText m_tokens;
    std::vector<std::vector<float>> m_weights; // [layer] (heads, tokens)
};

KeptLists keptRows(const engine::KvStore& store);

/// Checks that the same tokens were kept, exact ties apart, that they hold the same attention mass,
/// and that the question's logits are the same. Where a tie was broken in another way the mass and
/// the logits are compared with the tokens that kvpress kept; a message says so.
void checkKept(MethodRun& run, const OracleCase& expected, const KeptLists& kept);
void checkLogits(MethodRun& run, const OracleCase& expected, engine::KvStore store);
void checkAll(MethodRun& run, const OracleCase& expected, const engine::KvStore& store);

} // namespace tests
