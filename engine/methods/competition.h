#pragma once

#include "engine/methods/selection.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace engine {

/// Rows that stay whatever their score. Those of them that are document tokens are paid from the
/// budget (selection.md 1.8).
struct Protection
{
    std::uint32_t sinks = 0;  // first rows of all; the prefix always stays
    std::uint32_t window = 0; // last rows of the document, or of each chunk of ChunkPress
};

/// What happens between scores and a smaller store: which rows compete with which, for how many
/// places, who wins them, and where the winners stand. All stages but the scorer, for any scorer.
class Competition
{
public:
    /// Throws BadInput when the budget has no place beside the protected rows, or a window does not
    /// fit into the document or chunk.
    Competition(DocumentPlan plan, std::string method, const Protection& protection);

    const DocumentPlan& plan() const { return m_plan; }
    /// False when everything fits: then nothing is scored.
    bool selects() const { return m_plan.keptPerHead() < m_plan.documentRows(); }

    /// The rows between sinks and window: what a scorer scores. Some in it may not compete.
    kernels::EntryRange eligible() const { return m_eligible; }

    /// Rows that are scored and cut together, document tokens from the sinks on: the chunks of
    /// ChunkPress, or one part. The last `window()` rows of each stay.
    const std::vector<kernels::EntryRange>& parts() const { return m_parts; }
    std::uint32_t window() const { return m_protection.window; }

    /// Drops what did not win from a store that holds every row; with the stage `compact`, turns
    /// the kept keys to the positions 0, 1, ... (selection.md 3.16), and the next position is the
    /// number of kept entries. scores: one for each layer over eligible(). NaN counts as the lowest
    /// score (selection.md 1.4). Throws Damaged when there are not enough numbers to choose from.
    void decide(KvStore& store, std::vector<LayerScores> scores);

    /// A sentence when scores were no numbers.
    std::vector<std::string> warnings() const;

private:
    struct Part
    {
        std::vector<std::uint32_t> competing; // rows
        Places places;
    };

    void divideIntoParts();
    void protectRows();
    void sharePlaces();
    void checkPlaces(std::size_t index, std::uint64_t quota, std::uint64_t ownProtected) const;
    /// Gives every token the mean of its chunk.
    void judgeChunks(const Part& part, std::vector<LayerScores>& scores) const;
    /// Throws Damaged when a winner's score is no number.
    void refuseNumberless(const LayerScores& scores, const HeadLists& winners) const;
    std::vector<LayerScores> scoresOfPart(const Part& part, std::vector<LayerScores>& scores) const;
    void countErrors(std::span<const LayerScores> scores);
    void keepRows(KvStore& store, std::vector<HeadLists> chosen) const;

    DocumentPlan m_plan;
    std::string m_method;
    Protection m_protection;
    kernels::EntryRange m_eligible;
    std::vector<kernels::EntryRange> m_parts;
    std::vector<Part> m_places;    // of each part
    std::vector<bool> m_protected; // of each row
    std::uint64_t m_errors = 0;
    std::uint64_t m_scores = 0;
};

/// What the user is told when `errors` of `scores` scores were NaN.
std::string scoreErrorSentence(const std::string& method, std::uint64_t errors,
                               std::uint64_t scores);

} // namespace engine
