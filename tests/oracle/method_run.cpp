#include "tests/oracle/method_run.h"

#include "engine/dialog/prepare_options.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>

namespace tests {
namespace {

using namespace engine;

constexpr double kTolerance = 1e-3;

/// Adds up what the last rows of a plain run attend to.
class DenseWeights : public Hooks
{
public:
    DenseWeights(std::uint32_t rows, std::vector<std::vector<float>>& weights)
        : m_rows(rows)
        , m_weights(weights)
    {}

    bool needsLse(const LayerStep& /*step*/) const override { return true; }

    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        kernels::ScoreSpec spec;
        spec.scored = {0, static_cast<std::uint32_t>(step.rows.size())};
        spec.normaliser = kernels::Normaliser::Full;
        spec.rows = kernels::RowReduction::Sum;
        spec.heads = kernels::HeadReduction::Mean;
        spec.firstRow = step.rows.size() - m_rows;
        m_weights.push_back(scorer.run(spec));
        for (float& each : m_weights.back())
            each /= static_cast<float>(m_rows);
    }

private:
    std::uint32_t m_rows;
    std::vector<std::vector<float>>& m_weights;
};

Job jobOf(std::vector<std::int32_t> tokens, std::int32_t first)
{
    Job job;
    job.tokens = std::move(tokens);
    job.positions.resize(job.tokens.size());
    std::iota(job.positions.begin(), job.positions.end(), first);
    return job;
}

std::string describe(const OracleCase& one)
{
    return one.method + " keep " + std::to_string(one.keep);
}

using Rows = std::vector<std::uint32_t>;

Rows without(const Rows& rows, const Rows& left)
{
    Rows rest;
    std::ranges::set_difference(rows, left, std::back_inserter(rest));
    return rest;
}

bool hasTies(const OracleCase& one)
{
    return std::ranges::any_of(one.ties, [](const std::vector<Rows>& layer) {
        return std::ranges::any_of(layer, [](const Rows& tied) { return !tied.empty(); });
    });
}

} // namespace

MethodRun::MethodRun(const Oracle& oracle)
    : m_oracle(oracle)
    , m_model(loadModel(oracle.modelFile, {.threads = 2}))
    , m_prompts(*m_model, "", true)
{
    m_tokens.ids = oracle.document;
    KvStore store(m_model->kvShape(), KvType::F32);
    DenseWeights weights(oracle.votingRows, m_weights);
    m_model->transformer().run(jobOf(oracle.document, 0), store, weights);
}

DocumentPlan MethodRun::plan(const std::string& method,
                             const std::map<std::string, double>& settings, double keep)
{
    PrepareOptions options;
    options.method = method;
    options.settings = settings;
    options.keep = keep;
    options.blockRows = 48; // so that results are put together from blocks
    DocumentPlan plan = makePlan(*m_model, m_prompts, "", m_tokens, options);
    plan.prefix.clear();
    return plan;
}

KvStore MethodRun::apply(const std::string& method, const DocumentPlan& plan)
{
    KvStore store(m_model->kvShape(), KvType::F32);
    const auto object = findMethod(method).make(plan);
    while (const auto job = object->nextJob(store)) {
        m_model->transformer().run(*job, store, *object);
        object->onJobEnd(*job, store);
    }
    return store;
}

KvStore MethodRun::apply(const OracleCase& one)
{
    return apply(one.method, plan(one.method, one.settings, one.keep));
}

KvStore MethodRun::keepOnly(const KeptLists& kept)
{
    KvStore store(m_model->kvShape(), KvType::F32);
    m_model->transformer().run(jobOf(m_oracle.document, 0), store);
    for (std::uint32_t layer = 0; layer < store.shape().layers; ++layer) {
        for (std::uint32_t head = 0; head < store.shape().kvHeads; ++head)
            store.list(layer, head).keep(kept[layer][head], store.shape().headDim);
    }
    return store;
}

KvStore MethodRun::turnedToSlots(const KeptLists& kept)
{
    KvStore store = keepOnly(kept);
    const auto rotate = plan("full", {}, 1).rotate;
    for (std::uint32_t layer = 0; layer < store.shape().layers; ++layer) {
        for (std::uint32_t head = 0; head < store.shape().kvHeads; ++head) {
            KvList& list = store.list(layer, head);
            std::vector<std::int32_t> deltas;
            for (std::uint32_t slot = 0; slot < list.length(); ++slot)
                deltas.push_back(static_cast<std::int32_t>(slot) - store.position(list.row(slot)));
            list.editKeys({0, list.length()}, store.shape().headDim,
                          [&](std::span<float> keys) { rotate(keys, deltas); });
            store.setNextPosition(static_cast<std::int32_t>(list.length()));
        }
    }
    return store;
}

double MethodRun::mass(std::size_t layer, std::size_t head,
                       const std::vector<std::uint32_t>& tokens) const
{
    const float* weights = &m_weights[layer][head * m_oracle.document.size()];
    return std::accumulate(tokens.begin(), tokens.end(), 0.0, [&](double sum, std::uint32_t token) {
        return sum + static_cast<double>(weights[token]);
    });
}

std::vector<float> MethodRun::logitsAfter(KvStore store)
{
    Job job = jobOf(m_oracle.question, store.nextPosition());
    job.role = Role::Query;
    job.logits = LogitRows::Last;
    const JobResult result = m_model->transformer().run(std::move(job), store);
    std::vector<float> picked;
    for (std::size_t i = 0; i < result.logits.size(); i += m_oracle.logitStep)
        picked.push_back(result.logits[i]);
    return picked;
}

KeptLists keptRows(const KvStore& store)
{
    KeptLists kept;
    for (std::uint32_t layer = 0; layer < store.shape().layers; ++layer) {
        kept.emplace_back();
        for (std::uint32_t head = 0; head < store.shape().kvHeads; ++head) {
            const KvList& list = store.list(layer, head);
            kept.back().emplace_back(list.length());
            for (std::uint32_t entry = 0; entry < list.length(); ++entry)
                kept.back().back()[entry] = list.row(entry);
        }
    }
    return kept;
}

void checkKept(MethodRun& run, const OracleCase& expected, const KeptLists& kept)
{
    REQUIRE(kept.size() == expected.kept.size());
    for (std::size_t layer = 0; layer < kept.size(); ++layer) {
        REQUIRE(kept[layer].size() == expected.kept[layer].size());
        for (std::size_t head = 0; head < kept[layer].size(); ++head) {
            const Rows& ours = kept[layer][head];
            const Rows& theirs = expected.kept[layer][head];
            const Rows& tied = expected.ties[layer][head];
            INFO(describe(expected), " layer ", layer, " head ", head);
            CHECK(ours.size() == theirs.size());
            CHECK(without(ours, tied) == without(theirs, tied));
            CHECK(std::abs(run.mass(layer, head, ours == theirs ? ours : theirs) -
                           expected.mass[layer][head]) < kTolerance);
        }
    }
}

void checkLogits(MethodRun& run, const OracleCase& expected, KvStore store)
{
    const std::vector<float> logits = run.logitsAfter(std::move(store));
    REQUIRE(logits.size() == expected.logits.size());
    double worst = 0;
    for (std::size_t i = 0; i < logits.size(); ++i)
        worst = std::max(worst, static_cast<double>(std::abs(logits[i] - expected.logits[i])));
    INFO(describe(expected), ": largest difference of a logit ", worst);
    CHECK(worst < kTolerance);
}

void checkAll(MethodRun& run, const OracleCase& expected, const KvStore& store)
{
    const KeptLists kept = keptRows(store);
    checkKept(run, expected, kept);
    const bool chosenOtherwise = kept != expected.kept && hasTies(expected);
    if (chosenOtherwise)
        MESSAGE(describe(expected) << ": another choice among equal scores");
    checkLogits(run, expected, chosenOtherwise ? run.keepOnly(expected.kept) : store);
}

} // namespace tests
