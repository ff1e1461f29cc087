#include "engine/eval/method_benchmark.h"

#include "engine/dialog/context.h"
#include "engine/eval/made_up_text.h"
#include "engine/eval/random_model_file.h"
#include "engine/methods/method.h"
#include "engine/model/model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <map>
#include <numeric>

namespace engine {
namespace {

constexpr std::uint32_t kFillRows = 512; // appended at a time

struct Duration
{
    double seconds = 0;
    double work = 0; // processor time of all threads, in seconds
};

Duration durationOf(const std::function<void()>& work)
{
    const auto start = std::chrono::steady_clock::now();
    const std::clock_t workStart = std::clock();
    work();
    return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
            static_cast<double>(std::clock() - workStart) / CLOCKS_PER_SEC};
}

double medianOf(std::vector<double> values)
{
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    if (values.size() % 2 != 0)
        return *middle;
    return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

struct Prepared
{
    Duration duration;
    std::shared_ptr<const Context> context;
    bool measuredTable = false; // what the next preparation with the model need not do
};

/// Bias tables for the time of the benchmark.
class TablesInMemory final : public BiasTables
{
public:
    std::string find(const std::string& key) override { return m_tables[key]; }
    void keep(const std::string& key, const std::string& table) override
    {
        m_tables[key] = table;
        ++m_kept;
    }
    std::size_t kept() const { return m_kept; }

private:
    std::map<std::string, std::string> m_tables;
    std::size_t m_kept = 0;
};

/// HOMER's chunks are half the window by default, and a shorter document is one chunk, which is
/// read as `full` does. These are those of the paper's model, whose window is 4,096.
std::map<std::string, double> settingsFor(const std::string& method)
{
    return method == "homer" ? std::map<std::string, double>{{"chunk", 2048}}
                             : std::map<std::string, double>{};
}

class Bench
{
public:
    Bench(std::shared_ptr<LoadedModel> model, const MethodBenchmarkOptions& options,
          const std::function<void(const std::string&)>& onProgress)
        : m_model(std::move(model))
        , m_options(options)
        , m_onProgress(onProgress)
        , m_text(denseText(tokenizerOf(*m_model), options.prefillTokens))
    {}

    MethodBenchmarkRow run(const std::string& method)
    {
        MethodBenchmarkRow row;
        row.method = method;
        try {
            const auto context = measurePrefill(row);
            for (const std::uint32_t depth : m_options.depths)
                row.decode.push_back(measureDecode(*context, depth));
        } catch (const Error& error) {
            if (error.code() == ErrorCode::DiskFull || error.code() == ErrorCode::OutOfMemory)
                throw;
            row.refusal = error.what();
        }
        return row;
    }

    std::uint64_t tokens() const { return m_tokens; }

private:
    void report(const std::string& doing) const
    {
        if (m_onProgress)
            m_onProgress(doing);
    }

    Prepared prepare(const std::string& method, const std::string& text) const
    {
        PrepareOptions options;
        options.method = method;
        options.keep = m_options.keep;
        options.store = m_options.store;
        options.settings = method == "full" ? std::map<std::string, double>{} : m_options.settings;
        options.settings.merge(settingsFor(method));
        options.biasTables = m_tables;
        const std::size_t kept = m_tables->kept();
        Preparation preparation(m_model, text, options);
        Prepared prepared;
        prepared.duration = durationOf([&] {
            while (preparation.advance())
                preparation.takeCheckpoint();
        });
        prepared.context = preparation.finish();
        prepared.measuredTable = m_tables->kept() > kept;
        return prepared;
    }

    /// Returns what the method left.
    std::shared_ptr<const Context> measurePrefill(MethodBenchmarkRow& row)
    {
        std::shared_ptr<const Context> left;
        std::vector<double> ratios;
        std::vector<double> workRatios;
        for (std::uint32_t repeat = 0; repeat < m_options.repeats; ++repeat) {
            report(row.method + ": prefill " + std::to_string(repeat + 1));
            const Prepared full = prepare("full", m_text);
            Prepared method = prepare(row.method, m_text);
            if (method.measuredTable) {
                row.firstPrefillRatio = method.duration.seconds / full.duration.seconds;
                method = prepare(row.method, m_text);
            }
            m_tokens = contextInfo(*full.context).tokens;
            const auto least = [&](double known, double measured) {
                return repeat == 0 ? measured : std::min(known, measured);
            };
            row.fullSeconds = least(row.fullSeconds, full.duration.seconds);
            row.prefillSeconds = least(row.prefillSeconds, method.duration.seconds);
            ratios.push_back(method.duration.seconds / full.duration.seconds);
            workRatios.push_back(method.duration.work / full.duration.work);
            row.bytesRatio = static_cast<double>(contextInfo(*method.context).bytesStored) /
                             static_cast<double>(contextInfo(*full.context).bytesStored);
            left = method.context;
        }
        row.prefillRatio = medianOf(std::move(ratios));
        row.prefillWorkRatio = medianOf(std::move(workRatios));
        return left;
    }

    DecodeSpeed measureDecode(const Context& left, std::uint32_t depth)
    {
        DecodeSpeed speed;
        speed.depth = depth;
        const auto full = lengthened(left, depth, false);
        const bool hasState = !left.methodState().empty() || !left.tokenOfRow().empty();
        const auto method =
            hasState ? prepare(left.info().method, denseText(tokenizerOf(*m_model), depth)).context
                     : lengthened(left, depth, true);
        for (std::uint32_t repeat = 0; repeat < m_options.repeats; ++repeat) {
            report(left.info().method + ": decoding at " + std::to_string(depth) + " tokens, " +
                   std::to_string(repeat + 1));
            speed.full = std::max(speed.full, decode(full));
            speed.method = std::max(speed.method, decode(method));
        }
        return speed;
    }

    /// Tokens per second. An answer that ends at once says nothing; then another one is asked for.
    double decode(const std::shared_ptr<const Context>& context) const
    {
        for (const char* question : {"What follows?", "Who was it?", "Where?", "And then?"}) {
            AskOptions options;
            options.maxTokens = m_options.decodeTokens;
            Conversation conversation(m_model, context);
            const Answer answer = conversation.ask(question, options, {});
            if (answer.tokens > m_options.decodeTokens / 2)
                return answer.tokensPerSecond;
        }
        throw Error(ErrorCode::Unsupported,
                    "The model ends its answers too early for measuring how fast it writes. "
                    "Choose another model.");
    }

    /// Random entries for a document of `depth` tokens, of which each head keeps the share that it
    /// keeps in `left`, or all.
    std::shared_ptr<const Context> lengthened(const Context& left, std::uint32_t depth, bool asLeft)
    {
        const KvShape shape = m_model->kvShape();
        const std::uint32_t prefix = left.prefixRows();
        ContextInfo info = left.info();
        info.tokens = depth;
        if (!asLeft) {
            info.method = "full";
            info.settings.clear();
        }
        KvStore store = filled(prefix, depth);
        const std::vector<std::uint32_t> counts = keptCounts(left);
        for (std::uint32_t list = 0; asLeft && list < counts.size(); ++list) {
            const double share = counts[list] / static_cast<double>(left.info().tokens);
            const auto kept = static_cast<std::uint32_t>(std::lround(share * depth));
            std::vector<std::uint32_t> indices(prefix + std::min(kept, depth));
            std::iota(indices.begin(), indices.end(), 0U);
            for (std::uint64_t i = prefix; i < indices.size(); ++i)
                indices[i] = static_cast<std::uint32_t>(prefix + (i - prefix) * depth / kept);
            store.list(list / shape.kvHeads, list % shape.kvHeads).keep(indices, shape.headDim);
        }
        store.pack(m_options.store, m_model->backend());
        return std::make_shared<const Context>(std::move(info), std::move(store),
                                               std::vector<ByteRange>(depth), std::string());
    }

    /// The store of a document of which everything is kept, made once for each depth.
    const KvStore& filled(std::uint32_t prefix, std::uint32_t depth)
    {
        const auto known = m_filled.find(depth);
        if (known != m_filled.end())
            return known->second;
        const KvShape shape = m_model->kvShape();
        KvStore store(shape, KvType::F16);
        std::vector<float> values(std::size_t{kFillRows} * shape.kvHeads * shape.headDim);
        Dice dice(1);
        for (float& each : values)
            each = static_cast<float>(dice.roll(2001)) / 1000.0F - 1.0F;
        const std::uint32_t total = prefix + depth;
        for (std::uint32_t begin = 0; begin < total; begin += kFillRows) {
            std::vector<std::int32_t> positions(std::min(kFillRows, total - begin));
            std::iota(positions.begin(), positions.end(), static_cast<std::int32_t>(begin));
            std::vector<std::uint32_t> rows(positions.size());
            std::iota(rows.begin(), rows.end(), store.appendRows(positions, Role::Document));
            const auto part = std::span(values).first(rows.size() * shape.kvHeads * shape.headDim);
            for (std::uint32_t layer = 0; layer < shape.layers; ++layer)
                store.appendKv(layer, part, part, rows, m_model->backend());
        }
        return m_filled.emplace(depth, std::move(store)).first->second;
    }

    std::shared_ptr<LoadedModel> m_model;
    std::shared_ptr<TablesInMemory> m_tables = std::make_shared<TablesInMemory>();
    const MethodBenchmarkOptions& m_options;
    const std::function<void(const std::string&)>& m_onProgress;
    std::string m_text;
    std::uint64_t m_tokens = 0;
    std::map<std::uint32_t, KvStore> m_filled; // by depth
};

void check(const MethodBenchmarkOptions& options, std::uint64_t window)
{
    std::vector<std::uint32_t> lengths = options.depths;
    lengths.push_back(options.prefillTokens);
    for (const std::uint32_t length : lengths) {
        if (length < 256 || length + 1024 > window) {
            throw Error(ErrorCode::BadInput,
                        "A length to measure must be between 256 and " +
                            std::to_string(window - std::min<std::uint64_t>(window, 1024)) +
                            " tokens, which the model's window leaves.");
        }
    }
    if (options.repeats < 1 || options.repeats > 100 || options.decodeTokens < 2) {
        throw Error(ErrorCode::BadInput, "There must be between 1 and 100 repetitions, and at "
                                         "least 2 tokens to decode.");
    }
    if (!(options.keep > 0 && options.keep <= 1)) {
        throw Error(ErrorCode::BadInput,
                    "The share to keep must be above 0 and at most 1, for instance 0.25.");
    }
}

} // namespace

double wantedPrefillRatio(const std::string& method)
{
    static const std::map<std::string, double> kWanted{
        {"snapkv", 1.05},  {"tova", 1.05},
        {"keydiff", 1.05}, {"expected-attention", 1.05},
        {"h2o", 1.6},      {"observed-attention", 1.6},
        {"kvzip", 2.6},    {"homer", 1.0}};
    const auto found = kWanted.find(method);
    return found == kWanted.end() ? 0 : found->second;
}

MethodBenchmarkResult
benchmarkMethods(const MethodBenchmarkOptions& options,
                 const std::function<void(const std::string& doing)>& onProgress)
{
    std::vector<std::string> ids = options.methods;
    for (const MethodInfo& method : methods()) {
        if (options.methods.empty() && method.id != "full")
            ids.push_back(method.id);
    }
    for (const std::string& id : ids)
        findMethod(id);
    std::optional<RandomModelFile> made;
    if (options.modelPath.empty())
        made.emplace(options.largeShape ? largeShape() : smallShape(), options.tokenizerFrom);
    const auto model = loadModel(made ? made->path() : options.modelPath, options.load);
    check(options, modelInfo(*model).contextLength);
    MethodBenchmarkResult result;
    result.model = modelInfo(*model).name;
    result.device = deviceSentence(*model);
    Bench bench(model, options, onProgress);
    for (const std::string& id : ids)
        result.rows.push_back(bench.run(id));
    result.tokens = bench.tokens();
    return result;
}

} // namespace engine
