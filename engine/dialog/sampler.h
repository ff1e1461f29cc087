#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace engine {

struct SamplingOptions
{
    float temperature = 0; // 0 takes the likeliest token always
    int topK = 40;         // keep this many tokens; 0 keeps all
    float topP = 0.95F;    // keep the likeliest tokens up to this sum of probabilities; 1 keeps all
    float minP = 0.05F;    // keep tokens with at least this share of the largest probability
    float repetitionPenalty = 1.0F; // above 1: tokens of the window become less likely
    int repetitionWindow = 64;      // number of accepted tokens that the penalty looks back on
    std::uint64_t seed = 0;
};

/// Chooses the next token. The order is: repetition penalty, top-k, top-p, min-p, temperature,
/// draw; so the cuts are made on the model's own probabilities and temperature only shifts weight
/// among what is left.
///
/// Equal options and equal calls give equal tokens on every machine: the generator is SplitMix64
/// (Steele, Lea and Flood 2014), the sums are doubles in a fixed order, and of equal logits the
/// lower id comes first.
class Sampler
{
public:
    /// Throws BadInput, naming the option, if a number is out of its range.
    explicit Sampler(SamplingOptions options);

    /// `logits` has one number per token of the vocabulary; NaN counts as impossible.
    /// Throws Internal if it is empty or no token is possible. Call accept() with the token to
    /// record it.
    std::int32_t sample(std::span<const float> logits);

    /// Adds a token, of the prompt or an answer, to the penalty's window.
    void accept(std::int32_t id);

private:
    struct Candidate
    {
        float logit = 0;
        std::int32_t id = 0;
    };

    void collect(std::span<const float> logits);
    void penalise();
    void keepLikeliest();
    double distanceToBest(std::size_t candidate) const;
    std::size_t cut() const;
    std::int32_t draw(std::size_t count);
    double nextUniform();

    SamplingOptions m_options;
    std::uint64_t m_state;
    std::deque<std::int32_t> m_window;
    std::vector<Candidate> m_candidates; // kept between calls for its memory
    std::vector<bool> m_isRepeated;
};

} // namespace engine
