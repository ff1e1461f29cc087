// Parallel context windows (Ratner et al. 2023, arXiv 2212.10947, section 2): a document that is
// longer than the model's window is cut into windows that all stand at the same positions, and no
// window sees another one; a question sees them, and stands behind them. The cost of reading grows
// with the document's length, not with its square.
//
// Deviation: by default a question is answered from the one window that says most about it
// (parallel_windows_answer.h) instead of from all at once, which are read together only to find it.
// All at once (`best` 0, the paper's) the trained reader finds facts as well and says more often
// that something is missing, but it loses the thread of sentences that it quotes, the more windows
// there are (docs/quality.md).

#include "engine/methods/parallel_windows.h"

#include "engine/dialog/context.h"
#include "engine/kv/byte_stream.h"
#include "engine/methods/block_plan.h"
#include "engine/methods/parallel_windows_answer.h"
#include "engine/methods/recent_window.h"
#include "engine/model/model.h"

#include <algorithm>

namespace engine {
namespace {

constexpr double kMostWindows = 1 << 20;
constexpr double kTogether = 8;          // windows; more dilute each other's attention
constexpr std::uint32_t kSoughtPart = 8; // of a window: its last eighth may hold its end

/// Behind the last line's end, or else the last sentence's, of tokens [begin, end); `end` itself
/// where there is neither.
std::uint32_t
goodEnd(std::uint32_t begin, std::uint32_t end,
        const std::function<std::string(std::uint32_t begin, std::uint32_t end)>& text)
{
    std::uint32_t sentence = end;
    for (std::uint32_t at = end; at > begin; --at) {
        const std::string token = text(at - 1, at);
        if (token.find('\n') != std::string::npos)
            return at;
        if (sentence == end && (token == "." || token == ".”" || token == ".\""))
            sentence = at;
    }
    return sentence;
}

class ParallelWindowsMethod final : public Method
{
public:
    explicit ParallelWindowsMethod(const DocumentPlan& plan)
        : m_plan(plan)
        , m_windows(
              cutWindows(plan.prefixRows(), plan.documentRows(), longestWindow(plan), plan.text))
        , m_blocks(m_plan, 1, partsOf(m_windows))
    {}

    std::optional<Job> nextJob(const KvStore& /*store*/) override
    {
        std::optional<Job> job = m_blocks.next();
        if (!job)
            return job;
        const auto first = static_cast<std::uint32_t>(job->positions.front());
        while (m_windows.rows(m_window).end <= first)
            ++m_window;
        // All windows end where the conversation begins.
        const auto longest = static_cast<std::int32_t>(longestRows());
        const kernels::EntryRange rows = m_windows.rows(m_window);
        const auto shift = longest - static_cast<std::int32_t>(rows.end - m_plan.prefixRows());
        for (std::int32_t& position : job->positions) {
            if (position >= static_cast<std::int32_t>(m_plan.prefixRows()))
                position += shift;
        }
        return job;
    }

    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        const kernels::EntryRange own = windowOf(step.rows.front());
        if (own.begin == m_plan.prefixRows())
            return;
        if (m_plan.prefixRows() > 0)
            segments.push_back(visibleToAll(step, {0, m_plan.prefixRows()}));
        segments.push_back(recentSegment(step, own.begin, kUnlimited));
    }

    void onJobEnd(const Job& /*job*/, KvStore& /*store*/) override
    {
        m_done = m_blocks.rowsHandedOut();
    }

    std::vector<std::byte> artefactState() const override { return m_windows.write(); }

    double totalCost() const override { return m_plan.totalRows(); }
    double doneCost() const override { return m_done; }

private:
    static std::vector<kernels::EntryRange> partsOf(const ParallelWindows& windows)
    {
        std::vector<kernels::EntryRange> parts;
        for (std::uint32_t window = 0; window < windows.count(); ++window)
            parts.push_back(windows.rows(window));
        if (!parts.empty())
            parts.front().begin = 0; // the prefix is read with the first window
        return parts;
    }

    std::uint32_t longestRows() const
    {
        std::uint32_t longest = 0;
        for (std::uint32_t window = 0; window < m_windows.count(); ++window)
            longest = std::max(longest, m_windows.rows(window).end - m_windows.rows(window).begin);
        return longest;
    }

    /// The window of a row; the first one for rows of the prefix.
    kernels::EntryRange windowOf(std::uint32_t row) const
    {
        const std::uint32_t place = row < m_plan.prefixRows() ? 0 : row - m_plan.prefixRows();
        const auto found = std::ranges::upper_bound(m_windows.ends, place);
        return m_windows.rows(static_cast<std::uint32_t>(found - m_windows.ends.begin()));
    }

    DocumentPlan m_plan;
    ParallelWindows m_windows;
    BlockPlan m_blocks;
    std::uint32_t m_window = 0; // of the last job
    std::uint32_t m_done = 0;
};

/// A setting that counts windows; `missing` in contexts of a program that did not have it. Nothing
/// when it cannot be one.
std::optional<double> settingOf(const Context& context, const std::string& key,
                                std::optional<double> missing)
{
    const auto& settings = context.info().settings;
    const auto found = settings.find(key);
    const std::optional<double> value = found == settings.end() ? missing : found->second;
    return value && *value >= 0 && *value <= kMostWindows ? value : std::nullopt;
}

/// Throws Damaged when the state is not that of the context.
std::unique_ptr<AnswerMethod> answerFrom(const Context& context, LoadedModel& model)
{
    auto windows = std::make_shared<ParallelWindows>(ParallelWindows::read(context.methodState()));
    const KvStore& store = context.store();
    const bool fits = windows->prefix == context.prefixRows() && !windows->ends.empty() &&
                      windows->rows(windows->count() - 1).end == store.rowCount() &&
                      store.holdsAllRows();
    const std::optional<double> best = settingOf(context, "best", std::nullopt);
    const std::optional<double> together = settingOf(context, "together", kTogether);
    if (!fits || !best || !together) {
        throw Error(ErrorCode::Damaged, "The stored windows do not fit the stored document. "
                                        "Prepare the document again.");
    }
    return std::make_unique<ParallelWindowsAnswer>(model.transformer(), std::move(windows),
                                                   static_cast<std::uint32_t>(*best),
                                                   static_cast<std::uint32_t>(*together));
}

} // namespace

std::vector<std::byte> ParallelWindows::write() const
{
    ByteWriter writer;
    writer.put(prefix);
    writer.putArray(std::span<const std::uint32_t>(ends));
    return writer.take();
}

ParallelWindows ParallelWindows::read(std::span<const std::byte> bytes)
{
    ByteReader reader(bytes, "The list of windows");
    ParallelWindows windows;
    windows.prefix = reader.get<std::uint32_t>("prefix");
    windows.ends = reader.getArray<std::uint32_t>("ends");
    reader.expectEnd();
    const bool ascends =
        std::ranges::adjacent_find(windows.ends, std::greater_equal<>()) == windows.ends.end();
    if (!ascends || (!windows.ends.empty() && windows.ends.front() == 0))
        reader.fail("ends");
    return windows;
}

std::uint32_t longestWindow(const DocumentPlan& plan)
{
    const auto wanted = static_cast<std::uint32_t>(plan.setting("window"));
    return wanted > 0 ? wanted : std::max(plan.contextLength / 4, 1U);
}

ParallelWindows
cutWindows(std::uint32_t prefix, std::uint32_t rows, std::uint32_t longest,
           const std::function<std::string(std::uint32_t begin, std::uint32_t end)>& text)
{
    ParallelWindows windows{prefix, {}};
    std::uint32_t begin = 0;
    while (rows - begin > longest) {
        const std::uint32_t limit = begin + longest;
        begin = goodEnd(limit - longest / kSoughtPart, limit, text);
        windows.ends.push_back(begin);
    }
    if (rows > begin)
        windows.ends.push_back(rows);
    return windows;
}

MethodEntry parallelWindowsMethod()
{
    MethodEntry entry;
    entry.info = {
        .id = "parallel-windows",
        .title = "Windows side by side (PCW)",
        .description =
            "Reads a document of any length in windows of what the model was trained for, none of "
            "which sees another. Each question is put to every window and answered from the one "
            "that says most about it and agrees with the others. No token is lost; every question "
            "costs a short reading.",
        .source = "Ratner et al. 2023, arXiv 2212.10947",
        .queryAgnostic = true,
        .parameters = {{"window", "the longest window; 0: a quarter of the model's (tokens)", 0,
                        1 << 20, 0},
                       {"best", "windows that an answer is made from; 0: all of them, as published",
                        0, kMostWindows, 1},
                       {"together",
                        "most promising windows that are read together to find those; 1: each is "
                        "judged alone",
                        1, kMostWindows, kTogether}},
        .usesKeep = false};
    entry.make = [](const DocumentPlan& plan) -> std::unique_ptr<Method> {
        return std::make_unique<ParallelWindowsMethod>(plan);
    };
    entry.keepsPinned = true; // no token is dropped
    entry.answer = answerFrom;
    entry.positions = [](const DocumentPlan& plan) -> std::uint64_t {
        return plan.prefixRows() +
               std::uint64_t{std::min(longestWindow(plan), plan.documentRows())};
    };
    return entry;
}

} // namespace engine
