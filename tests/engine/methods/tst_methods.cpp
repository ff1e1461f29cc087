// What every method has to honour (structural.md 7.7, selection.md 6, generic properties), over the
// table of methods.

#include "engine/dialog/context.h"
#include "engine/methods/method.h"
#include "engine/model/model.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>
#include <set>

namespace {

using namespace engine;

/// All segments but the header, whose statistics hold times.
std::vector<std::vector<std::byte>> payload(const Context& context)
{
    std::vector<std::vector<std::byte>> segments;
    for (std::size_t index = 1; index < segmentCount(context); ++index)
        segments.push_back(writeSegment(context, index));
    return segments;
}

PrepareOptions optionsOf(const std::string& method, double keep, KvType store = KvType::F16)
{
    PrepareOptions options;
    options.method = method;
    options.keep = keep;
    options.store = store;
    if (method.find("+chunkpress") != std::string::npos)
        options.settings["chunk"] = 160; // several in the texts of these tests
    if (method.starts_with("snapkv+chunkpress") || method.starts_with("pyramidkv+chunkpress"))
        options.settings["window"] = 8;
    if (method == "duo-attention")
        options.settings = {{"sinks", 8}, {"recent", 24}};
    return options;
}

std::uint64_t sum(const std::vector<std::uint32_t>& counts)
{
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

/// Every method that the constructed reader is enough for, and some compositions.
std::vector<std::string> testedIds()
{
    std::vector<std::string> ids{"snapkv+adakv",
                                 "kvzip+adakv",
                                 "keydiff+global",
                                 "tova+pyramid",
                                 "expected-attention+compact",
                                 "kvzip+uniform+compact",
                                 "kvzip+chunkpress",
                                 "snapkv+chunkpress+adakv",
                                 "keydiff+chunkpress+compact",
                                 "pyramidkv+chunkpress",
                                 "random+chunkkv",
                                 "compactor+adakv",
                                 "kvzip+uniform+chunkkv",
                                 "tova+chunkkv+compact",
                                 "snapkv+minference",
                                 "kvzip+minference",
                                 "h2o+minference+compact"};
    for (const MethodInfo& method : methods()) {
        if (!method.needsTraining)
            ids.push_back(method.id);
    }
    return ids;
}

bool keepsWholeHeads(const std::string& id)
{
    return id == "kvzip-head" || id == "duo-attention";
}

bool ascends(const KvList& list, std::uint64_t prefix)
{
    for (std::uint32_t i = 0; i < list.length(); ++i) {
        if ((i > 0 && list.row(i) <= list.row(i - 1)) || (i < prefix && list.row(i) != i))
            return false;
    }
    return true;
}

} // namespace

TEST_CASE("ids are unique and unknown names are refused with the known ones")
{
    std::set<std::string> ids;
    for (const MethodInfo& method : methods())
        CHECK(ids.insert(method.id).second);
    CHECK(ids.contains("kvzip"));
    std::string known;
    for (const MethodInfo& method : methods())
        known += (known.empty() ? "" : ", ") + method.id;
    CHECK_THROWS_WITH_AS(findMethod("zip"),
                         ("There is no method \"zip\". Choose one of: " + known + ".").c_str(),
                         Error);
    CHECK_THROWS_AS(completeSettings(findMethod("snapkv").info, {{"windows", 3}}), Error);
    CHECK_THROWS_AS(completeSettings(findMethod("snapkv").info, {{"window", 0}}), Error);
}

TEST_CASE("T1: keeping everything gives the bits of the full cache and the same answer")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(120);
    const auto full = tests::prepare(model, text, optionsOf("full", 1.0));
    for (const std::string& id : testedIds()) {
        const auto context = tests::prepare(model, text, optionsOf(id, 1.0));
        INFO(id);
        CHECK(contextInfo(*context).keptFraction == 1.0);
        CHECK(payload(*context) == payload(*full));
    }
}

TEST_CASE("budgets are met exactly, lists ascend, and the prefix always stays")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(150);
    for (const std::string& id : testedIds()) {
        if (!findMethod(id).info.usesKeep)
            continue;
        for (const double keep : {0.75, 0.3, 0.1}) {
            const auto context = tests::prepare(model, text, optionsOf(id, keep));
            const ContextInfo& info = contextInfo(*context);
            const double cells = static_cast<double>(info.layers) * info.kvHeads;
            INFO(id, " keep ", keep, " of ", info.tokens, " tokens");
            const auto counts = keptCounts(*context);
            // Rounded once for all cells (global), once per head, or to whole heads.
            const double unit = keepsWholeHeads(id) ? static_cast<double>(info.tokens) : cells;
            CHECK(std::abs(static_cast<double>(sum(counts)) -
                           keep * static_cast<double>(info.tokens) * cells) <= unit / 2 + 1);
            const KvStore& store = context->store();
            for (std::uint32_t layer = 0; layer < info.layers; ++layer) {
                for (std::uint32_t head = 0; head < info.kvHeads; ++head) {
                    const KvList& list = store.list(layer, head);
                    CHECK(ascends(list, info.prefixTokens));
                }
            }
            std::uint64_t mapped = 0;
            for (const std::uint16_t count : retentionMap(*context))
                mapped += count;
            CHECK(mapped == sum(counts));
        }
    }
}

TEST_CASE("T3: the size of the blocks does not change what is kept, bit for bit")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    for (const std::string& id : testedIds()) {
        PrepareOptions options = optionsOf(id, 0.4, KvType::Kivi4);
        const auto large = tests::prepare(model, text, options);
        options.blockRows = 96;
        const auto small = tests::prepare(model, text, options);
        INFO(id);
        REQUIRE(contextInfo(*large).tokens > 512); // else the large blocks are one block
        CHECK(keptCounts(*small) == keptCounts(*large));
        CHECK(payload(*small) == payload(*large));
    }
}

TEST_CASE("the number of threads does not change a bit")
{
    const std::string text = tests::makeText(500);
    for (const char* id : {"kvzip", "expected-attention"}) {
        CAPTURE(id);
        const PrepareOptions options = optionsOf(id, 0.3, KvType::Kivi4);
        const auto two = tests::prepare(tests::loadReader(2), text, options);
        const auto one = tests::prepare(tests::loadReader(1), text, options);
        const auto three = tests::prepare(tests::loadReader(3), text, options);
        CHECK(payload(*one) == payload(*two));
        CHECK(payload(*three) == payload(*two));
    }
}

TEST_CASE(
    "next positions: the true length for methods that keep positions, the cache's for the others")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(120);
    for (const std::string& id : testedIds()) {
        const auto context = tests::prepare(model, text, optionsOf(id, 0.5));
        const ContextInfo& info = contextInfo(*context);
        INFO(id);
        if (id == "streaming-llm" || id == "llmlingua" || id.find("+compact") != std::string::npos)
            CHECK(context->store().nextPosition() ==
                  static_cast<std::int32_t>(context->store().list(0, 0).length()));
        else if (id == "lm-infinite") // all but the first tokens of the budget
            CHECK(context->store().nextPosition() ==
                  static_cast<std::int32_t>(context->store().list(0, 0).length()) - 10);
        else
            CHECK(context->store().nextPosition() ==
                  static_cast<std::int32_t>(info.prefixTokens + info.tokens));
    }
}

TEST_CASE("compositions that cannot work are refused with the reason")
{
    for (const char* legal :
         {"snapkv+adakv", "kvzip+adakv", "random+global", "knorm+pyramid", "h2o+compact",
          "kvzip+uniform+compact", "knorm+chunkkv", "snapkv+chunkpress+adakv",
          "kvzip-plus+chunkpress", "snapkv+minference", "kvzip+minference+adakv"})
        CHECK(findMethod(legal).info.id == legal);
    const auto parameters = findMethod("keydiff+adakv").info.parameters;
    CHECK(std::ranges::find(parameters, "floor", &MethodParameter::key) != parameters.end());
    for (const char* illegal : {"full+adakv",
                                "streaming-llm+compact",
                                "knorm+adakv",
                                "pyramidkv+adakv",
                                "pyramidkv+compact",
                                "kvzip+compact",
                                "snapkv+adakv+compact",
                                "snapkv+adakv+global",
                                "snapkv+nothing",
                                "snapkv+",
                                "+adakv",
                                "nothing+adakv",
                                "h2o+chunkpress",
                                "observed-attention+chunkpress",
                                "kvzip+chunkkv",
                                "snapkv+chunkkv+adakv",
                                "snapkv+chunkkv+chunkpress",
                                "full+chunkpress",
                                "knorm+chunkkv+global",
                                "full+minference",
                                "minference+adakv",
                                "minference+snapkv",
                                "quest+minference",
                                "streaming-llm+minference",
                                "minference+minference"}) {
        INFO(illegal);
        CHECK_THROWS_AS(findMethod(illegal), Error);
    }
    CHECK_THROWS_WITH_AS(findMethod("minference+snapkv"),
                         "In \"minference+snapkv\" the stages do not stand behind the method. "
                         "Write snapkv+minference.",
                         Error);
    CHECK_THROWS_WITH_AS(findMethod("compact+uniform+kvzip"),
                         "In \"compact+uniform+kvzip\" the stages do not stand behind the method. "
                         "Write kvzip+compact+uniform.",
                         Error);
    CHECK_THROWS_WITH_AS(findMethod("snapkv+pod"),
                         "In \"snapkv+pod\" the stages do not stand behind the method. Write "
                         "pod+snapkv.",
                         Error);
}

TEST_CASE("the listed stages are those that can be composed")
{
    const auto composes = [](const std::string& id) {
        try {
            return findMethod(id).info.id == id;
        } catch (const Error&) {
            return false;
        }
    };
    for (const MethodInfo& method : methods()) {
        for (const StageInfo& stage : stages()) {
            CAPTURE(method.id);
            CAPTURE(stage.id);
            const bool listed = std::ranges::find(method.stages, stage.id) != method.stages.end();
            CHECK(listed == (composes(method.id + "+" + stage.id) ||
                             composes(method.id + "+uniform+" + stage.id)));
        }
    }
    CHECK(findMethod("kvzip").info.extraPasses == 1);
}

TEST_CASE("compact keeps the same tokens as without it, and turns every key to its place")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(120);
    const auto apart = tests::prepare(model, text, optionsOf("keydiff", 0.4));
    const auto compact = tests::prepare(model, text, optionsOf("keydiff+compact", 0.4));
    const KvShape shape = apart->store().shape();
    const RopeTable& table = model->transformer().ropeTable();
    double worst = 0;
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        const KvList& from = apart->store().list(layer, 0);
        const KvList& to = compact->store().list(layer, 0);
        REQUIRE(from.length() == to.length());
        std::vector<float> expected(std::size_t{from.length()} * shape.headDim);
        std::vector<float> actual(expected.size());
        std::vector<std::int32_t> deltas;
        for (std::uint32_t i = 0; i < from.length(); ++i) {
            CHECK(from.row(i) == to.row(i));
            deltas.push_back(static_cast<std::int32_t>(i) - apart->store().position(from.row(i)));
        }
        from.readKeys(expected, 0, shape.headDim);
        to.readKeys(actual, 0, shape.headDim);
        model->backend().rope(expected, deltas, table.frequencies, 1, shape.headDim,
                              model->config().pairing, 1.0F);
        for (std::size_t i = 0; i < actual.size(); ++i)
            worst = std::max(worst, std::abs(static_cast<double>(actual[i] - expected[i])) /
                                        (1.0 + std::abs(static_cast<double>(expected[i]))));
    }
    CHECK(worst < 1e-3); // half precision
}

TEST_CASE("golden 6.11: StreamingLLM keeps the sinks and the last tokens")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(400);
    PrepareOptions options = optionsOf("streaming-llm", 1.0);
    options.budget = 12;
    options.settings = {{"sinks", 4}};
    const auto context = tests::prepare(model, text, options);
    const ContextInfo& info = contextInfo(*context);
    const KvList& list = context->store().list(1, 3);
    const auto prefix = static_cast<std::uint32_t>(info.prefixTokens);
    REQUIRE(list.length() == prefix + 12);
    const auto total = static_cast<std::uint32_t>(info.prefixTokens + info.tokens);
    // Sinks count from the first token of all, so the prefix is among the four.
    const std::uint32_t sinks = std::max(4U, prefix);
    for (std::uint32_t i = 0; i < list.length(); ++i)
        CHECK(list.row(i) == (i < sinks ? i : total - list.length() + i));
}

TEST_CASE("SnapKV keeps its window, and refuses a budget below it")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(400);
    const auto context = tests::prepare(model, text, optionsOf("snapkv", 0.2));
    const ContextInfo& info = contextInfo(*context);
    const auto total = static_cast<std::uint32_t>(info.prefixTokens + info.tokens);
    for (std::uint32_t head = 0; head < info.kvHeads; ++head) {
        const KvList& list = context->store().list(0, head);
        for (std::uint32_t i = 0; i < 32; ++i)
            CHECK(list.row(list.length() - 32 + i) == total - 32 + i);
    }
    PrepareOptions small = optionsOf("snapkv", 1.0);
    small.budget = 16;
    CHECK_THROWS_AS(Preparation(model, text, small), Error);
}

TEST_CASE("KVzip with a global budget keeps the induction head whole, with a uniform one it cannot")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(1500);
    PrepareOptions options = optionsOf("kvzip", 0.3);
    const auto global = tests::prepare(model, text, options);
    options.settings = {{"global", 0}};
    const auto uniform = tests::prepare(model, text, options);
    const ContextInfo& info = contextInfo(*global);
    const auto largest = [](const std::vector<std::uint32_t>& counts) {
        return *std::ranges::max_element(counts);
    };
    // The first three tokens have no three tokens before them and cannot be found by anyone.
    CHECK(largest(keptCounts(*global)) >= info.tokens - 3);
    CHECK(largest(keptCounts(*uniform)) <=
          static_cast<std::uint32_t>(0.31 * static_cast<double>(info.tokens)));
}
