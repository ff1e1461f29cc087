#include "engine/methods/head_scores.h"

#include "engine/methods/competition.h"
#include "kernels/select.h"

#include <algorithm>
#include <cmath>

namespace engine {

HeadMethod::HeadMethod(const DocumentPlan& plan, const std::string& name)
    : RepeatingMethod(plan, name,
                      plan.headScores.empty() ? static_cast<std::uint32_t>(plan.setting("sample"))
                                              : 0)
    , m_name(name)
{}

std::vector<bool> HeadMethod::bestHeads(const std::vector<float>& scores, std::uint64_t count) const
{
    std::vector<bool> best(scores.size());
    for (const std::uint32_t head :
         kernels::cpu::selectTop(scores, {}, count, kernels::cpu::TieRule::LowerIndex))
        best[head] = true;
    return best;
}

std::vector<float> HeadMethod::headScores()
{
    if (hasTable())
        return plan().headScores;
    std::vector<float> scores(std::size_t{plan().layers} * plan().kvHeads);
    std::uint64_t errors = 0;
    std::uint64_t all = 0;
    const std::vector<LayerScores> layers = takeScores();
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
        for (std::size_t i = 0; i < layers[layer].score.size(); ++i) {
            const float weight = std::exp(layers[layer].score[i]);
            float& best = scores[layer * plan().kvHeads + i / layers[layer].tokens];
            errors += std::isnan(weight) ? 1 : 0;
            best = std::fmax(best, weight);
        }
        all += layers[layer].score.size();
    }
    if (errors > 0)
        m_warnings.push_back(scoreErrorSentence(m_name, errors, all));
    return scores;
}

std::uint64_t HeadMethod::wholeHeads(std::uint32_t rows, const std::string& wayOut) const
{
    const std::uint64_t cells = std::uint64_t{plan().layers} * plan().kvHeads;
    const std::uint64_t tokens = plan().documentRows();
    const std::uint64_t budget = plan().keptInAll();
    if (budget < rows * cells) {
        throw Error(ErrorCode::BadInput, "The method " + m_name + " keeps " + std::to_string(rows) +
                                             " tokens in every head, but only " +
                                             std::to_string(plan().keptPerHead()) + " of " +
                                             std::to_string(tokens) + " may stay. Raise keep, or " +
                                             wayOut + ".");
    }
    if (rows >= tokens)
        return cells;
    const auto exact =
        static_cast<double>(budget - rows * cells) / static_cast<double>(tokens - rows);
    return std::min(static_cast<std::uint64_t>(std::floor(exact + 0.5)), cells);
}

std::vector<bool> HeadMethod::alwaysKept() const
{
    std::vector<bool> stays(plan().totalRows());
    std::fill_n(stays.begin(), plan().prefixRows(), true);
    for (const kernels::EntryRange& range : plan().pinned)
        std::fill_n(stays.begin() + plan().prefixRows() + range.begin, range.end - range.begin,
                    true);
    return stays;
}

void HeadMethod::cutHeads(KvStore& store, const std::vector<bool>& whole,
                          const std::vector<bool>& stays) const
{
    std::vector<std::uint32_t> kept;
    for (std::uint32_t row = 0; row < stays.size(); ++row) {
        if (stays[row])
            kept.push_back(row);
    }
    for (std::uint32_t list = 0; list < whole.size(); ++list) {
        if (!whole[list])
            store.list(list / plan().kvHeads, list % plan().kvHeads).keep(kept, plan().headDim);
    }
}

std::vector<MethodParameter> headParameters()
{
    auto parameters = repeatingParameters();
    parameters.push_back({"sample",
                          "first tokens that the heads are measured on without a table (tokens)",
                          64, 1048576, 8192});
    return parameters;
}

} // namespace engine
