#include "engine/eval/layer_similarity.h"

#include "engine/dialog/prepare_options.h"
#include "engine/methods/layer_probe.h"
#include "engine/methods/rope_settings.h"

namespace engine {
namespace {

constexpr std::size_t kSmallestSample = 64; // tokens

} // namespace

LayerSimilarityReport measureLayerSimilarity(const std::shared_ptr<LoadedModel>& model,
                                             std::string_view sample,
                                             const std::map<std::string, double>& settings,
                                             const std::stop_token& stop)
{
    const PromptTokens prompts(*model, {}, false);
    const TokenisedText tokens = prompts.document(sample);
    if (tokens.ids.size() < kSmallestSample) {
        throw Error(ErrorCode::BadInput,
                    "The text on which layers are compared has " +
                        std::to_string(tokens.ids.size()) + " tokens. Give one of at least " +
                        std::to_string(kSmallestSample) + " tokens; some thousands are better.");
    }
    PrepareOptions options;
    options.method = "pod";
    options.settings = settings;
    const DocumentPlan plan = makePlan(*model, prompts, sample, tokens, options);
    LayerProbe probe(plan, static_cast<std::uint32_t>(plan.setting("calibration")),
                     static_cast<std::uint32_t>(plan.setting("rows")));
    KvStore store(model->kvShape(), KvType::F16);
    store.setRope(tableOf(model->config(), plan.settings));
    model->transformer().run(probe.job(), store, probe, stop);

    LayerSimilarityReport report;
    report.layers = plan.layers;
    report.kvHeads = plan.kvHeads;
    report.tokens = probe.tokens();
    report.rows = probe.rows();
    report.threshold = plan.setting("similarity") / 100.0;
    report.similarity = probe.similarity().values();
    const LayerGroups groups = groupLayers(probe.similarity(), report.threshold);
    report.owners = groups.owner;
    report.blocks = groups.blocks();
    report.largestSaving = sharedKeySaving(groups, 1, 0);
    return report;
}

} // namespace engine
