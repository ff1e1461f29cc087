// KVzip against the public package kvpress on the golden models. The instruction to repeat is made
// of the same fixed ids on both sides (stand_in_tokenizer.py), because words do not matter to a
// model of random weights.

#include "tests/oracle/method_run.h"

#include <doctest/doctest.h>

namespace {

using namespace tests;

void append(std::vector<std::int32_t>& ids, std::span<const std::int32_t> more)
{
    ids.insert(ids.end(), more.begin(), more.end());
}

/// The plan of a document behind a prefix, with kvpress's instructions. A text stands for the range
/// that it names.
engine::DocumentPlan zipPlan(const Oracle& oracle, MethodRun& run, const std::string& method,
                             const OracleCase& one)
{
    engine::DocumentPlan plan = run.plan(method, one.settings, one.keep);
    const auto& ids = oracle.kvzip;
    const auto prefix = static_cast<std::ptrdiff_t>(ids.prefix.size());
    plan.prefix = ids.prefix;
    plan.document.erase(plan.document.begin(), plan.document.begin() + prefix);
    plan.text = [](std::uint32_t begin, std::uint32_t end) {
        return std::to_string(begin) + "-" + std::to_string(end - 1);
    };
    plan.turn = [&ids, document = plan.document](const std::string& instruction) {
        const std::string start = "starting with ";
        const std::size_t quote = instruction.find(start);
        std::vector<std::int32_t> turn = ids.first;
        if (quote != std::string::npos) {
            turn = ids.later;
            for (const std::uint32_t token : parseRanges(instruction.substr(quote + start.size())))
                turn.push_back(document[token]);
        }
        append(turn, ids.suffix);
        return turn;
    };
    // kvpress pays for its four sinks out of the budget; here they are the prefix, which costs
    // nothing.
    plan.budget = static_cast<std::uint64_t>(one.keep * plan.totalRows()) - ids.prefix.size();
    return plan;
}

void compare(const std::string& method)
{
    for (Oracle& oracle : readOracles()) {
        // The dense attention that kept mass is measured with is that behind the prefix.
        std::vector<std::int32_t> document = oracle.kvzip.prefix;
        append(document,
               std::span(oracle.document).first(oracle.document.size() - document.size()));
        oracle.document = document;
        MethodRun run(oracle);
        INFO(oracle.model);
        for (const OracleCase& one : oracle.of(method))
            checkAll(run, one, run.apply(method, zipPlan(oracle, run, method, one)));
    }
}

} // namespace

TEST_CASE("KVzip keeps what kvpress keeps, over all layers and heads")
{
    // Bridged: kvpress protects 4 first tokens and lets the rest of the template go; ours protects
    // the whole template. With a template of 4 tokens the two are the same, and so is the set of
    // keys that the softmax is over.
    compare("kvzip");
}

TEST_CASE("KVzip within each layer")
{
    // kvpress's layerwise ranking over the heads of a layer is AdaKV without a floor.
    compare("kvzip+adakv");
}

TEST_CASE("KVzip+ weighs rows and values as kvpress does")
{
    compare("kvzip-plus");
}
