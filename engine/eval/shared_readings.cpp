#include "engine/eval/shared_readings.h"

#include "engine/methods/method.h"

namespace engine {
namespace {

constexpr const char* kPlainReading = "full";

/// Methods without stages decide while they read what stays, so each budget reads on its own; but
/// those that measure the heads first cut them at the end.
bool readsAlike(const PrepareOptions& options)
{
    if (options.method == kPlainReading)
        return true;
    const MethodEntry method = findMethod(options.method);
    return method.composition != Composition::Closed ||
           (method.takesHeadTable && options.headTable.empty());
}

} // namespace

SharedReadings::SharedReadings(std::shared_ptr<LoadedModel> model, std::uint64_t mostBytes)
    : m_model(std::move(model))
    , m_mostBytes(mostBytes)
{}

void SharedReadings::beginLength(std::uint64_t length)
{
    if (length == m_length)
        return;
    m_readings.clear();
    m_bytes = 0;
    m_length = length;
}

std::shared_ptr<const Context>
SharedReadings::prepare(const std::string& text, const PrepareOptions& options,
                        const std::function<void(const PrepareProgress&)>& onProgress)
{
    forgetOthers(options.method);
    const bool isKnown = m_readings[options.method].contains(text);
    const auto [preparation, plain] = begin(text, options);
    Reading reading{plain, {}};
    // What is read for one question is of no use to another.
    bool keeps = !isKnown && readsAlike(options) && options.question.empty();
    bool more = true;
    while (more) {
        more = preparation->advance();
        std::vector<std::byte> piece = preparation->takeCheckpoint();
        // What has no room is read again, and all behind it.
        keeps = keeps && m_bytes + piece.size() <= m_mostBytes;
        if (keeps && !piece.empty()) {
            m_bytes += piece.size();
            reading.own.push_back(std::move(piece));
        }
        if (onProgress)
            onProgress(preparation->progress());
    }
    if (!isKnown && options.question.empty())
        m_readings[options.method].emplace(text, std::move(reading));
    return preparation->finish();
}

SharedReadings::Begun SharedReadings::begin(const std::string& text,
                                            const PrepareOptions& options) const
{
    Begun begun{std::make_unique<Preparation>(m_model, text, options)};
    if (!readsAlike(options))
        return begun;
    const Reading* own = find(options.method, text);
    const Reading* full = find(kPlainReading, text);
    try {
        if (full != nullptr && own != full) {
            const std::size_t most = own != nullptr ? own->plain : full->own.size();
            for (; begun.plain < most; ++begun.plain)
                begun.preparation->restore(full->own[begun.plain]);
        }
        if (own != nullptr) {
            for (const auto& piece : own->own)
                begun.preparation->restore(piece);
        }
    } catch (const Error& error) {
        // A method that sums attention while it reads, or whose window depends on the budget, has
        // other pieces. What was restored of them is of no use.
        if (error.code() != ErrorCode::Damaged && error.code() != ErrorCode::Mismatch)
            throw;
        return {std::make_unique<Preparation>(m_model, text, options)};
    }
    return begun;
}

const SharedReadings::Reading* SharedReadings::find(const std::string& method,
                                                    const std::string& text) const
{
    const auto readings = m_readings.find(method);
    if (readings == m_readings.end())
        return nullptr;
    const auto reading = readings->second.find(text);
    return reading == readings->second.end() ? nullptr : &reading->second;
}

void SharedReadings::forgetOthers(const std::string& method)
{
    std::erase_if(m_readings, [&](const auto& each) {
        if (each.first == method || each.first == kPlainReading)
            return false;
        for (const auto& [text, reading] : each.second) {
            for (const auto& piece : reading.own)
                m_bytes -= piece.size();
        }
        return true;
    });
}

} // namespace engine
