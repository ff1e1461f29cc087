// Activation Beacon while questions are answered (structural.md 4.2 and 4.6; checks B1 and B4 in
// decoding).

#include "engine/dialog/context.h"
#include "engine/dialog/tail.h"
#include "engine/methods/answering.h"
#include "tests/engine/methods/beacon_reference.h"
#include "tests/engine/methods/beacon_runs.h"

#include <algorithm>
#include <doctest/doctest.h>

namespace {

using namespace engine;
using namespace tests;

/// A document read with float32 keys and values, as a context whose turns are compressed, too.
struct Fixture
{
    explicit Fixture(std::size_t documentTokens, bool turns = true)
        : text(someTokens(documentTokens))
    {
        const DocumentPlan plan =
            model.plan(prefix, text, {{"ratio", 4}, {"turns", turns ? 1.0 : 0.0}});
        BeaconRun run = runBeacon(model, plan);
        ContextInfo info;
        info.method = "activation-beacon";
        info.settings = plan.settings;
        info.prefixTokens = prefix.size();
        info.tokens = text.size();
        context = std::make_unique<Context>(info, std::move(run.store),
                                            std::vector<ByteRange>(text.size()), "",
                                            std::move(run.artefactState));
        reference.readPrefix(prefix);
        reference.read(text);
    }

    Tail tail() const
    {
        return {*model.model(), context->store(), model.checkpoint().spec().contextLength,
                findMethod("activation-beacon").answer(*context, *model.model())};
    }

    BeaconModel model{{.window = 8}};
    std::vector<std::int32_t> prefix{1, 30};
    std::vector<std::int32_t> text;
    std::unique_ptr<Context> context;
    BeaconReference reference{model.checkpoint(), 4};
};

std::size_t heldRows(const Tail& tail)
{
    return tail.store().list(0, 0).length();
}

} // namespace

TEST_CASE("a question and an answer are read in windows, as by the reference")
{
    Fixture f(19);
    Tail tail = f.tail();
    // A question of 7 and then token by token: windows end in both.
    const auto question = someTokens(7, 41);
    const auto answer = someTokens(23, 42);
    auto expected = f.reference.read(question);
    const auto first = tail.read(question, Role::Query, LogitRows::Last, {});
    CHECK(worstDifference({first}, {expected.back()}) < 2e-5);
    for (const std::int32_t token : answer) {
        expected = f.reference.read({&token, 1});
        const auto logits = tail.read({&token, 1}, Role::Generated, LogitRows::Last, {});
        CHECK(worstDifference({logits}, {expected.front()}) < 2e-5);
        REQUIRE(heldRows(tail) == f.reference.memory().size());
        CHECK(tail.store().nextPosition() ==
              static_cast<std::int32_t>(f.reference.memory().size()));
    }
    // 49 tokens: six windows with two beacons each, one token, and the prefix.
    CHECK(heldRows(tail) == 2 + 12 + 1);
}

TEST_CASE("B4: a turn in pieces leaves what it leaves in one")
{
    const Fixture f(19);
    const auto turn = someTokens(30, 41);
    Tail whole = f.tail();
    const auto once = whole.read(turn, Role::Query, LogitRows::Last, {});
    for (const std::size_t piece : {1U, 3U, 8U, 11U}) {
        Tail tail = f.tail();
        std::vector<float> last;
        for (std::size_t begin = 0; begin < turn.size(); begin += piece) {
            const auto part = std::span(turn).subspan(begin, std::min(piece, turn.size() - begin));
            last = tail.read(part, Role::Query, LogitRows::Last, {});
        }
        CHECK(worstDifference({last}, {once}) < 1e-6);
        CHECK(tail.store().positions() == whole.store().positions());
        CHECK(heldRows(tail) == heldRows(whole));
    }
}

TEST_CASE("a conversation goes back behind the end of a window")
{
    const Fixture f(19);
    Tail tail = f.tail();
    const auto turn = someTokens(4, 41);
    tail.read(turn, Role::Query, LogitRows::None, {});
    auto before = tail.snapshot();
    const auto once = tail.read(turn, Role::Generated, LogitRows::Last, {});
    const std::size_t rows = heldRows(tail);
    tail.goBack(std::move(before));
    CHECK(heldRows(tail) != rows);
    CHECK(tail.read(turn, Role::Generated, LogitRows::Last, {}) == once);
    CHECK(heldRows(tail) == rows);
}

TEST_CASE("turns stay raw unless they are asked to be compressed")
{
    Fixture f(19, false);
    Tail tail = f.tail();
    const auto question = someTokens(21, 41);
    const auto expected = f.reference.readRaw(question);
    const auto last = tail.read(question, Role::Query, LogitRows::Last, {});
    CHECK(worstDifference({last}, {expected.back()}) < 2e-5);
    CHECK(heldRows(tail) == f.context->store().list(0, 0).length() + 21);
}

TEST_CASE("a context of other beacon parameters, or with a damaged state, is not answered from")
{
    const Fixture f(19);
    const MethodEntry entry = findMethod("activation-beacon");
    const BeaconModel other({.window = 8, .sinks = 1});
    CHECK_THROWS_WITH_AS(entry.answer(*f.context, *other.model()),
                         doctest::Contains("was prepared with other beacon parameters"), Error);
    const auto state = f.context->methodState();
    for (std::size_t cut = 0; cut < state.size(); ++cut) {
        const Context damaged(contextInfo(*f.context), f.context->store(), f.context->ranges(), "",
                              {state.begin(), state.begin() + static_cast<std::ptrdiff_t>(cut)});
        CHECK_THROWS_AS(entry.answer(damaged, *f.model.model()), Error);
    }
    std::vector<std::byte> zeros(state.begin(), state.end());
    std::fill_n(zeros.begin(), 4, std::byte{0}); // a window of no tokens
    const Context damaged(contextInfo(*f.context), f.context->store(), f.context->ranges(), "",
                          zeros);
    CHECK_THROWS_AS(entry.answer(damaged, *f.model.model()), Error);
}
