#include "tests/engine/methods/beacon_runs.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>

namespace tests {

using namespace engine;

BeaconModel::BeaconModel(const BeaconSpec& spec)
    : m_checkpoint(spec)
{
    m_checkpoint.writeModel(m_folder.path() / "model.gguf");
    m_checkpoint.writeFolder(m_folder.path() / "model.beacon");
    m_model = loadModel(m_folder.path() / "model.gguf", {.threads = 2, .exactProducts = true});
}

DocumentPlan BeaconModel::plan(std::vector<std::int32_t> prefix, std::vector<std::int32_t> document,
                               std::map<std::string, double> settings,
                               std::uint32_t blockRows) const
{
    return beaconPlan(*m_model, std::move(prefix), std::move(document), std::move(settings),
                      blockRows);
}

DocumentPlan beaconPlan(LoadedModel& model, std::vector<std::int32_t> prefix,
                        std::vector<std::int32_t> document, std::map<std::string, double> settings,
                        std::uint32_t blockRows)
{
    DocumentPlan plan;
    plan.prefix = std::move(prefix);
    plan.document = std::move(document);
    const ModelConfig& config = model.config();
    plan.layers = config.layers;
    plan.kvHeads = config.kvHeads;
    plan.headDim = config.headDim;
    plan.vocabularySize = config.vocabularySize;
    plan.contextLength = config.contextLength;
    plan.blockRows = blockRows;
    plan.settings = completeSettings(activationBeaconMethod().info, settings);
    plan.beacon = [&model]() -> const BeaconParameters& { return model.beacon(); };
    plan.rotate = [&model](std::span<float> keys, std::span<const std::int32_t> deltas) {
        const ModelConfig& shape = model.config();
        model.backend().rope(keys, deltas, model.transformer().ropeTable().frequencies, 1,
                             shape.headDim, shape.pairing, 1.0F);
    };
    return plan;
}

BeaconRun runBeacon(const BeaconModel& model, const DocumentPlan& plan)
{
    return runBeacon(*model.model(), plan);
}

BeaconRun runBeacon(LoadedModel& loaded, const DocumentPlan& plan)
{
    BeaconRun run{KvStore(loaded.kvShape(), KvType::F32), {}, {}, {}, {}};
    const auto method = activationBeaconMethod().make(plan);
    std::uint32_t rows = 0;
    while (auto job = method->nextJob(run.store)) {
        job->logits = LogitRows::All;
        const auto logits = loaded.transformer().run(*job, run.store, *method).logits;
        const std::size_t width = loaded.config().vocabularySize;
        for (std::size_t r = 0; r < job->tokens.size(); ++r, ++rows) {
            if (rows < plan.prefixRows())
                continue;
            const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(r * width);
            const bool beacon = !job->weightSets.empty() && job->weightSets[r] != 0;
            (beacon ? run.beaconLogits : run.logits)
                .emplace_back(begin, begin + static_cast<std::ptrdiff_t>(width));
        }
        method->onJobEnd(*job, run.store);
        run.jobs.push_back(std::move(*job));
    }
    run.artefactState = method->artefactState();
    return run;
}

std::vector<std::int32_t> someTokens(std::size_t count, std::uint32_t seed)
{
    std::vector<std::int32_t> tokens;
    while (tokens.size() < count) {
        seed = seed * 1664525U + 1013904223U;
        tokens.push_back(static_cast<std::int32_t>(3 + (seed >> 16U) % 256));
    }
    return tokens;
}

double worstDifference(const std::vector<std::vector<float>>& a,
                       const std::vector<std::vector<float>>& b)
{
    REQUIRE(a.size() == b.size());
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        REQUIRE(a[i].size() == b[i].size());
        for (std::size_t c = 0; c < a[i].size(); ++c) {
            const double difference = std::abs(static_cast<double>(a[i][c]) - b[i][c]);
            worst = std::max(worst, difference / std::max(1.0, std::abs(double{b[i][c]})));
        }
    }
    return worst;
}

} // namespace tests
