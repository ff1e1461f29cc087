#include "engine/dialog/sampler.h"

#include "engine/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace engine {

namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();

void require(bool isValid, const std::string& name, const std::string& range)
{
    if (!isValid) {
        throw Error(ErrorCode::BadInput, name + " must be " + range + ".");
    }
}

void check(const SamplingOptions& options)
{
    require(std::isfinite(options.temperature) && options.temperature >= 0, "The temperature",
            "0 or more");
    require(options.topK >= 0, "Top-k", "0 (all tokens) or more");
    require(options.topP > 0 && options.topP <= 1, "Top-p", "above 0 and at most 1");
    require(options.minP >= 0 && options.minP <= 1, "Min-p", "between 0 and 1");
    require(std::isfinite(options.repetitionPenalty) && options.repetitionPenalty > 0,
            "The repetition penalty", "above 0");
    require(options.repetitionWindow >= 0, "The repetition window", "0 (off) or more");
}

} // namespace

Sampler::Sampler(SamplingOptions options)
    : m_options(options)
    , m_state(options.seed)
{
    check(m_options);
}

void Sampler::accept(std::int32_t id)
{
    m_window.push_back(id);
    if (m_window.size() > static_cast<std::size_t>(m_options.repetitionWindow)) {
        m_window.pop_front();
    }
}

std::int32_t Sampler::sample(std::span<const float> logits)
{
    collect(logits);
    penalise();
    keepLikeliest();
    if (m_candidates.empty() || m_candidates.front().logit == kImpossible) {
        throw Error(
            ErrorCode::Internal,
            "The model gave no usable prediction for the next token. Please ask again; if it "
            "happens again, the model file may be damaged.");
    }
    if (m_options.temperature == 0) {
        return m_candidates.front().id;
    }
    return draw(cut());
}

void Sampler::collect(std::span<const float> logits)
{
    m_candidates.resize(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
        float logit = logits[i];
        if (std::isnan(logit))
            logit = kImpossible;
        m_candidates[i] = {logit, static_cast<std::int32_t>(i)};
    }
}

/// Keskar et al. 2019 (arXiv:1909.05858, section 4.1), with negative logits multiplied instead of
/// divided, so that a penalty above 1 lowers them, too. A token counts once, however often it
/// occurred.
void Sampler::penalise()
{
    if (m_options.repetitionPenalty == 1.0F) {
        return;
    }
    m_isRepeated.assign(m_candidates.size(), false);
    for (const std::int32_t id : m_window) {
        const auto index = static_cast<std::size_t>(id);
        if (id < 0 || index >= m_candidates.size() || m_isRepeated[index]) {
            continue;
        }
        m_isRepeated[index] = true;
        float& logit = m_candidates[index].logit;
        logit =
            logit > 0 ? logit / m_options.repetitionPenalty : logit * m_options.repetitionPenalty;
    }
}

/// Leaves the candidates that top-k allows, the likeliest first.
void Sampler::keepLikeliest()
{
    const auto isBefore = [](const Candidate& a, const Candidate& b) {
        return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
    };
    std::size_t count = m_candidates.size();
    if (m_options.temperature == 0) {
        count = std::min<std::size_t>(count, 1);
    } else if (m_options.topK > 0) {
        count = std::min(count, static_cast<std::size_t>(m_options.topK));
    }
    const auto end = m_candidates.begin() + static_cast<std::ptrdiff_t>(count);
    std::partial_sort(m_candidates.begin(), end, m_candidates.end(), isBefore);
    m_candidates.erase(end, m_candidates.end());
}

/// A logit minus the largest one: at most 0, which keeps exp() in range; infinite logits do not
/// make it NaN.
double Sampler::distanceToBest(std::size_t candidate) const
{
    const float best = m_candidates.front().logit;
    const float logit = m_candidates[candidate].logit;
    return logit == best ? 0.0 : static_cast<double>(logit) - static_cast<double>(best);
}

/// The number of candidates, at least 1, that top-p and min-p leave. Top-p: Holtzman et al. 2020
/// (arXiv:1904.09751), the smallest set whose sum reaches p; min-p: Nguyen et al. 2024
/// (arXiv:2407.01082).
std::size_t Sampler::cut() const
{
    const auto weightOf = [&](std::size_t i) { return std::exp(distanceToBest(i)); };
    double total = 0;
    for (std::size_t i = 0; i < m_candidates.size(); ++i) {
        total += weightOf(i);
    }
    double sum = 0;
    std::size_t count = 0;
    while (count < m_candidates.size()) {
        const double weight = weightOf(count);
        const bool isAllowed = weight > 0 && weight >= static_cast<double>(m_options.minP);
        const bool isReached =
            m_options.topP < 1.0F && sum >= static_cast<double>(m_options.topP) * total;
        if (count > 0 && (!isAllowed || isReached)) {
            break;
        }
        sum += weight;
        ++count;
    }
    return count;
}

std::int32_t Sampler::draw(std::size_t count)
{
    std::vector<double> sums(count);
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
        sum += std::exp(distanceToBest(i) / static_cast<double>(m_options.temperature));
        sums[i] = sum;
    }
    const auto chosen = std::upper_bound(sums.begin(), sums.end(), nextUniform() * sum);
    const auto index = std::min(static_cast<std::size_t>(chosen - sums.begin()), count - 1);
    return m_candidates[index].id;
}

/// SplitMix64, whose 53 highest bits make a number in [0, 1).
double Sampler::nextUniform()
{
    m_state += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = m_state;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
    z ^= z >> 31U;
    return static_cast<double>(z >> 11U) * 0x1.0p-53;
}

} // namespace engine
