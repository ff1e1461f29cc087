#pragma once

#include "engine/methods/repeating_method.h"

#include <string>
#include <vector>

namespace engine {

/// Base of the methods that rank whole KV heads by what they are worth for repeating a text
/// (structural.md 6.1, "head"): from a table measured before, or on the document's first tokens.
class HeadMethod : public RepeatingMethod
{
public:
    HeadMethod(const DocumentPlan& plan, const std::string& name);

    std::vector<std::string> warnings() const final { return m_warnings; }

protected:
    bool hasTable() const { return !plan().headScores.empty(); }
    /// For each (layer, head) whether it is among the best `count`. Equal heads: the lower one.
    std::vector<bool> bestHeads(const std::vector<float>& scores, std::uint64_t count) const;
    /// The table's scores, or those measured.
    std::vector<float> headScores();
    /// Heads that keep the whole document, when the others keep `rows` of its tokens: as many as
    /// come nearest to the budget. Throws BadInput when not even the others fit, with the way out.
    std::uint64_t wholeHeads(std::uint32_t rows, const std::string& wayOut) const;
    /// Drops all rows but the prefix and the document rows for which `stays` is true (one for each
    /// row of the store) from the heads that are not whole. All lists hold every row.
    void cutHeads(KvStore& store, const std::vector<bool>& whole,
                  const std::vector<bool>& stays) const;
    /// The rows of the prefix and those that are pinned: what stays in every head.
    std::vector<bool> alwaysKept() const;

private:
    std::string m_name;
    std::vector<std::string> m_warnings;
};

/// Measures and keeps nothing.
class HeadMeasurement final : public HeadMethod
{
public:
    explicit HeadMeasurement(const DocumentPlan& plan)
        : HeadMethod(plan, "head-table")
    {}
    /// (layers, kvHeads), once there is no further job.
    const std::vector<float>& scores() const { return m_scores; }

private:
    void finish(KvStore& /*store*/) override { m_scores = headScores(); }

    std::vector<float> m_scores;
};

/// The settings of a measurement.
std::vector<MethodParameter> headParameters();

} // namespace engine
