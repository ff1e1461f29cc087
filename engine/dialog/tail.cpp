#include "engine/dialog/tail.h"

#include <algorithm>
#include <numeric>

namespace engine {
namespace {

/// Bounds the buffers of a long question.
constexpr std::size_t kPromptBlock = 512;

} // namespace

Tail::Tail(LoadedModel& model, KvStore prepared, std::uint64_t window,
           std::unique_ptr<AnswerMethod> method)
    : m_model(model)
    , m_store(std::move(prepared))
    , m_window(window)
    , m_method(std::move(method))
{}

std::vector<float> Tail::read(std::span<const std::int32_t> tokens, Role role, LogitRows logits,
                              Hooks& hooks, const std::stop_token& stop)
{
    std::vector<float> last;
    while (!tokens.empty()) {
        const std::size_t most =
            std::clamp<std::size_t>(m_method->rowsPerJob(role), 1, kPromptBlock);
        const std::size_t count = std::min(most, tokens.size());
        Job job;
        job.tokens.assign(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(count));
        job.positions.resize(count);
        std::iota(job.positions.begin(), job.positions.end(), m_store.nextPosition());
        job.role = role;
        job.logits = count == tokens.size() ? logits : LogitRows::None;
        last = m_model.transformer().run(job, m_store, hooks, stop).logits;
        m_method->afterJob(job, m_store);
        tokens = tokens.subspan(count);
    }
    return last;
}

std::vector<float> Tail::read(std::span<const std::int32_t> tokens, Role role, LogitRows logits,
                              const std::stop_token& stop)
{
    return read(tokens, role, logits, *m_method, stop);
}

std::uint64_t Tail::left() const
{
    const auto used = static_cast<std::uint64_t>(m_method->nextPosition(m_store));
    return m_window > used ? m_window - used : 0;
}

void Tail::goBack(Snapshot snapshot)
{
    m_store = std::move(snapshot.store);
    m_method = std::move(snapshot.method);
}

} // namespace engine
