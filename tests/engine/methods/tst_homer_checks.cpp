// HOMER's checks H7 (second half) and H9 of structural.md 3.7: equal scores, and the position
// behind the question.

#include "engine/dialog/context.h"
#include "engine/dialog/prepare_options.h"
#include "engine/methods/answering.h"
#include "engine/methods/homer_sampler.h"
#include "engine/model/model.h"
#include "tests/engine/methods/reader_fixture.h"
#include "tests/engine/methods/reader_variant.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;

constexpr std::uint32_t kWindow = 1024;

std::shared_ptr<LoadedModel> deepReader()
{
    static const auto model = tests::loadDeepReader(kWindow);
    return model;
}

PrepareOptions homerOptions()
{
    PrepareOptions options;
    options.method = "homer";
    options.keep = 1;
    options.store = KvType::F16;
    options.settings = {{"samples", 0}};
    return options;
}

/// The hooks of a method, and what it sees and decides in a job's last layer.
class Watched final : public Hooks
{
public:
    explicit Watched(Hooks& method)
        : m_method(method)
    {}

    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        m_method.segments(step, segments);
    }
    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        m_method.onAttention(step, scorer);
        if (step.layer + 1 != step.job->layerEnd)
            return;
        layer = step.layer;
        scores = lastRowScores(step, scorer);
        positions.assign(step.positions.begin(), step.positions.end());
    }
    std::optional<std::vector<std::uint32_t>> onResidual(const LayerStep& step,
                                                         std::span<const float> hidden) override
    {
        auto decided = m_method.onResidual(step, hidden);
        if (decided)
            kept = *decided;
        return decided;
    }

    std::uint32_t layer = 0;
    std::vector<float> scores;
    std::vector<std::int32_t> positions;
    std::vector<std::uint32_t> kept;

private:
    Hooks& m_method;
};

/// The first chunk of a document.
struct FirstChunk
{
    std::uint32_t layer = 0;
    std::vector<float> scores; // raw, of its rows
    std::vector<std::int32_t> positions;
    std::vector<std::uint32_t> kept; // of its rows
    std::uint32_t prefix = 0;
    std::uint32_t tokens = 0; // of the document
};

FirstChunk firstChunk(const std::string& text, const std::string& biasTable)
{
    LoadedModel& model = *deepReader();
    PrepareOptions options = homerOptions();
    options.biasTable = biasTable;
    const PromptTokens prompts(model, "", false);
    const TokenisedText tokens = model.tokenizer().encode(text, SpecialTokens::AsText, false);
    const DocumentPlan plan = makePlan(model, prompts, text, tokens, options);
    const std::unique_ptr<Method> method = findMethod("homer").make(plan);
    KvStore store(model.kvShape(), KvType::F16);
    const std::optional<Job> job = method->nextJob(store);
    REQUIRE(job);
    Watched watched(*method);
    model.transformer().run(*job, store, watched);
    return {watched.layer, watched.scores,    watched.positions,
            watched.kept,  plan.prefixRows(), static_cast<std::uint32_t>(job->documentTokens)};
}

/// Writes down where the rows of a conversation stand.
class Positions final : public AnswerMethod
{
public:
    explicit Positions(std::vector<std::pair<Role, std::int32_t>>& seen)
        : m_seen(seen)
    {}
    std::unique_ptr<AnswerMethod> clone() const override
    {
        return std::make_unique<Positions>(*this);
    }
    void onRows(Job& job) override
    {
        for (const std::int32_t position : job.positions)
            m_seen.emplace_back(job.role, position);
    }

private:
    std::vector<std::pair<Role, std::int32_t>>& m_seen;
};

} // namespace

TEST_CASE("H7: with a text's own scores as the bias all are equal, and the later tokens stay")
{
    const std::string text = tests::makeText(700);
    const FirstChunk plain = firstChunk(text, "");
    const std::size_t rows = plain.scores.size();
    REQUIRE(plain.kept.size() < rows);

    const auto measured = tests::prepare(deepReader(), tests::makeText(60), homerOptions());
    HomerBias bias;
    bias.model = modelIdentity(*deepReader());
    bias.rope = contextInfo(*measured).rope;
    bias.layers = contextInfo(*measured).layers;
    bias.length = static_cast<std::uint32_t>(plain.positions.back() + 1);
    bias.values.resize(std::size_t{bias.layers} * bias.length);
    for (std::size_t row = 0; row < rows; ++row) {
        const auto distance =
            static_cast<std::size_t>(plain.positions.back() - plain.positions[row]);
        bias.values[std::size_t{plain.layer} * bias.length + distance] = plain.scores[row];
    }
    const FirstChunk own = firstChunk(text, writeHomerBias(bias));
    CHECK(own.scores == plain.scores);
    // Prefix, the last tokens of the chunk, suffix.
    std::vector<std::uint32_t> expected(rows);
    std::iota(expected.begin(), expected.end(), 0U);
    const auto dropped = static_cast<std::ptrdiff_t>(rows - plain.kept.size());
    expected.erase(expected.begin() + plain.prefix, expected.begin() + plain.prefix + dropped);
    CHECK(own.kept == expected);
    CHECK(plain.kept != expected);
}

TEST_CASE("H9: an answer begins one position behind its question, which stands behind the chunk")
{
    const auto context = tests::prepare(deepReader(), tests::makeText(700), homerOptions());
    const auto chunk = static_cast<std::int32_t>(firstChunk(tests::makeText(700), "").tokens);
    const auto prefix = static_cast<std::int32_t>(contextInfo(*context).prefixTokens);
    std::vector<std::pair<Role, std::int32_t>> seen;
    Conversation conversation(deepReader(), context, {}, std::make_unique<Positions>(seen));
    const Answer answer =
        conversation.ask("What follows \"The gardener number\"?", {.maxTokens = 8}, {});
    REQUIRE(answer.tokens > 0);
    const auto first =
        std::ranges::find(seen, Role::Generated, [](const auto& row) { return row.first; });
    REQUIRE(first != seen.end());
    REQUIRE(first != seen.begin());
    CHECK(seen.front() == std::pair{Role::Query, prefix + chunk});
    CHECK((first - 1)->first == Role::Query);
    // The published program puts it on the question's last position.
    CHECK(first->second == (first - 1)->second + 1);
}
