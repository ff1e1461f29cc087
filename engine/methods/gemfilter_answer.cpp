#include "engine/methods/gemfilter_answer.h"

#include "engine/error.h"
#include "engine/kv/byte_stream.h"
#include "engine/methods/filter_votes.h"

#include <algorithm>
#include <numeric>

namespace engine {
namespace {

/// Rows of one job, which bounds its buffers.
constexpr std::size_t kBlockRows = 512;

} // namespace

std::vector<std::byte> GemFilterState::write() const
{
    ByteWriter writer;
    writer.put(layer);
    writer.put(select);
    writer.put(kernel);
    writer.putArray(std::span<const std::int32_t>(prefix));
    writer.putArray(std::span<const std::int32_t>(document));
    return writer.take();
}

GemFilterState GemFilterState::read(std::span<const std::byte> bytes)
{
    ByteReader reader(bytes, "The stored state of GemFilter");
    GemFilterState state;
    state.layer = reader.get<std::uint32_t>("layer");
    state.select = reader.get<std::uint32_t>("number of tokens");
    state.kernel = reader.get<std::uint32_t>("kernel");
    state.prefix = reader.getArray<std::int32_t>("prefix");
    state.document = reader.getArray<std::int32_t>("document");
    reader.expectEnd();
    if (state.kernel % 2 == 0 || state.kernel > 63)
        reader.fail("kernel");
    return state;
}

GemFilterAnswer::GemFilterAnswer(Transformer& transformer,
                                 std::shared_ptr<const GemFilterState> state, KvStore past)
    : m_transformer(&transformer)
    , m_state(std::move(state))
    , m_past(std::move(past))
{}

std::int32_t GemFilterAnswer::tokenOf(std::uint32_t row) const
{
    std::size_t at = row;
    for (const std::vector<std::int32_t>* each : {&m_state->prefix, &m_state->document}) {
        if (at < each->size())
            return (*each)[at];
        at -= each->size();
    }
    return m_history[at];
}

/// Runs the last answer and the question through the lower layers; returns the question's votes.
std::vector<float> GemFilterAnswer::readIntoPast(std::span<const std::int32_t> turn,
                                                 const std::stop_token& stop)
{
    std::vector<std::int32_t> tokens = std::move(m_answer);
    m_answer.clear();
    tokens.insert(tokens.end(), turn.begin(), turn.end());
    FilterHooks hooks(m_state->layer);
    for (std::size_t begin = 0; begin < tokens.size(); begin += kBlockRows) {
        const std::size_t count = std::min(kBlockRows, tokens.size() - begin);
        Job job;
        const auto first = tokens.begin() + static_cast<std::ptrdiff_t>(begin);
        job.tokens.assign(first, first + static_cast<std::ptrdiff_t>(count));
        job.positions.resize(count);
        std::iota(job.positions.begin(), job.positions.end(), m_past.nextPosition());
        job.role = Role::Query;
        job.layerEnd = m_state->layer + 1;
        job.wantsHidden = false;
        m_transformer->run(std::move(job), m_past, hooks, stop);
    }
    m_history.insert(m_history.end(), tokens.begin(), tokens.end());
    return hooks.votes();
}

KvStore GemFilterAnswer::readChosen(const std::stop_token& stop)
{
    KvStore fresh(m_past.shape(), m_past.workingType());
    fresh.setRope(m_past.rope());
    Hooks none;
    for (std::size_t begin = 0; begin < m_chosen.size(); begin += kBlockRows) {
        Job job;
        const std::size_t end = std::min(begin + kBlockRows, m_chosen.size());
        for (std::size_t i = begin; i < end; ++i) {
            job.tokens.push_back(tokenOf(m_chosen[i]));
            job.positions.push_back(static_cast<std::int32_t>(i));
            job.roles.push_back(m_past.role(m_chosen[i]));
        }
        m_transformer->run(std::move(job), fresh, none, stop);
    }
    return fresh;
}

void GemFilterAnswer::beforeQuestion(std::span<const std::int32_t> turn, KvStore& store,
                                     const std::stop_token& stop)
{
    const std::vector<float> votes = readIntoPast(turn, stop);
    m_chosen = rowsForQuestion(votes, m_state->prefix.size(), turn.size(),
                               {m_state->select, m_state->kernel});
    store = readChosen(stop);
    m_questionLeft = turn.size();
    m_replaced = true;
    m_tokenOfRow.clear();
    const auto prefix = static_cast<std::uint32_t>(m_state->prefix.size());
    for (const std::uint32_t row : m_chosen) {
        if (row >= prefix && row - prefix < m_state->document.size())
            m_tokenOfRow.push_back(row - prefix);
    }
}

bool GemFilterAnswer::takeExchange(std::span<const std::int32_t> exchange, KvStore& /*store*/,
                                   const std::stop_token& /*stop*/)
{
    m_answer.insert(m_answer.end(), exchange.begin(), exchange.end());
    return true;
}

void GemFilterAnswer::afterJob(const Job& job, KvStore& /*store*/)
{
    const std::size_t known = std::min(m_questionLeft, job.tokens.size());
    m_questionLeft -= known;
    m_answer.insert(m_answer.end(), job.tokens.begin() + static_cast<std::ptrdiff_t>(known),
                    job.tokens.end());
}

std::int32_t GemFilterAnswer::nextPosition(const KvStore& /*store*/) const
{
    return m_past.nextPosition() + static_cast<std::int32_t>(m_answer.size());
}

std::optional<std::span<const std::uint32_t>> GemFilterAnswer::tokenOfRow() const
{
    if (!m_replaced)
        return std::nullopt;
    return m_tokenOfRow;
}

} // namespace engine
