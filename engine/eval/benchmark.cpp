#include "engine/eval/benchmark.h"

#include "engine/eval/random_model.h"
#include "engine/eval/restore.h"
#include "engine/model/model.h"
#include "kernels/cpu/measure_limits.h"
#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <thread>

namespace engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kGiga = 1e9;

/// The model under test, read from a file or made up.
struct Subject
{
    const ModelConfig* config = nullptr;
    const Weights* weights = nullptr;
    std::uint64_t bytesPerToken = 0; // of weights, for one decode step
    std::uint64_t multiplyAdds = 0;  // with weights, for one token of a prefill
    bool quantised = true;
};

std::uint64_t bytesOf(const kernels::WeightView& view)
{
    const kernels::BlockShape block = kernels::blockShape(view.type);
    return view.rows * view.cols / block.elements * block.bytes;
}

Subject subjectOf(const ModelConfig& config, const Weights& weights)
{
    Subject subject{&config, &weights, bytesOf(weights.output), 0, true};
    for (const LayerWeights& layer : weights.layers) {
        for (const auto* view : {&layer.query, &layer.key, &layer.value, &layer.output, &layer.gate,
                                 &layer.up, &layer.down}) {
            subject.bytesPerToken += bytesOf(*view);
            subject.multiplyAdds += view->rows * view->cols;
        }
    }
    // Reading without an answer needs no more of the last layer than its keys and values.
    const LayerWeights& last = weights.layers.back();
    for (const auto* view : {&last.output, &last.gate, &last.up, &last.down})
        subject.multiplyAdds -= view->rows * view->cols;
    const auto type = weights.layers.front().gate.type;
    subject.quantised = type == kernels::WeightType::Q8_0 || type == kernels::WeightType::Q4_0;
    return subject;
}

Job makeJob(std::uint32_t tokens, std::int32_t position, LogitRows logits)
{
    Job job;
    job.tokens.assign(tokens, 1);
    job.positions.resize(tokens);
    std::iota(job.positions.begin(), job.positions.end(), position);
    job.logits = logits;
    return job;
}

double secondsOf(const std::function<void()>& work)
{
    const auto start = Clock::now();
    work();
    return std::chrono::duration<double>(Clock::now() - start).count();
}

class Run
{
public:
    Run(const Subject& subject, Backend& backend, const kernels::cpu::MachineLimits& limits)
        : m_subject(subject)
        , m_transformer(*subject.config, *subject.weights, backend)
        , m_backend(backend)
        , m_limits(limits)
    {}

    BenchmarkRow prefill(std::uint32_t tokens)
    {
        KvStore store = emptyStore();
        m_transformer.run(makeJob(std::min(tokens, 64U), 0, LogitRows::None), store); // warm up
        store = emptyStore();
        BenchmarkRow row;
        row.what = "prefill of " + std::to_string(tokens) + " tokens";
        row.seconds = secondsOf([&] {
            for (std::uint32_t begin = 0; begin < tokens; begin += 512) {
                const std::uint32_t count = std::min(512U, tokens - begin);
                m_transformer.run(makeJob(count, static_cast<std::int32_t>(begin), LogitRows::None),
                                  store);
            }
        });
        row.tokensPerSecond = tokens / row.seconds;
        const ModelConfig& config = *m_subject.config;
        const double attended = 2.0 * (config.layers - 1.0) * config.heads * config.headDim;
        const double multiplyAdds = static_cast<double>(m_subject.multiplyAdds) * tokens +
                                    attended * 0.5 * tokens * (tokens + 1.0);
        row.achieved = 2.0 * multiplyAdds / row.seconds / kGiga;
        row.limit =
            (m_subject.quantised ? m_limits.int8OpsPerSecond : m_limits.fmaFlopsPerSecond) / kGiga;
        row.unit = m_subject.quantised ? "Gop/s int8" : "GFLOP/s";
        return row;
    }

    BenchmarkRow decode(std::uint32_t count, std::uint32_t depth)
    {
        KvStore store = emptyStore();
        fill(store, depth);
        auto position = static_cast<std::int32_t>(depth);
        m_transformer.run(makeJob(1, position++, LogitRows::Last), store);
        BenchmarkRow row;
        row.what = "decode at depth " + std::to_string(depth);
        row.seconds = secondsOf([&] {
            for (std::uint32_t i = 0; i < count; ++i)
                m_transformer.run(makeJob(1, position++, LogitRows::Last), store);
        });
        const ModelConfig& config = *m_subject.config;
        const double cached = 4.0 * config.layers * config.kvHeads * config.headDim * depth;
        row.tokensPerSecond = count / row.seconds;
        row.achieved =
            (static_cast<double>(m_subject.bytesPerToken) + cached) * row.tokensPerSecond / kGiga;
        row.limit = m_limits.readBytesPerSecond / kGiga;
        row.unit = "GB/s";
        return row;
    }

    /// One layer's causal attention over a prompt, in blocks of 512 rows as the prefill runs it.
    BenchmarkRow attention(std::uint32_t tokens)
    {
        const ModelConfig& config = *m_subject.config;
        KvStore store({1, config.kvHeads, config.headDim}, KvType::F16);
        const std::uint32_t rows = 512;
        tokens = (tokens + rows - 1) / rows * rows;
        fill(store, tokens);
        std::vector<kernels::KvListView> lists;
        store.views(0, lists);
        std::vector<float> query(std::size_t{rows} * config.heads * config.headDim, 0.01F);
        std::vector<float> out(query.size());
        std::vector<kernels::EntryRange> visible(std::size_t{rows} * config.kvHeads);
        const kernels::AttentionShape shape{rows, config.heads, config.kvHeads, config.headDim,
                                            1.0F / std::sqrt(static_cast<float>(config.headDim))};
        BenchmarkRow row;
        row.what = "causal attention over " + std::to_string(tokens) + " tokens, one layer";
        row.seconds = secondsOf([&] {
            for (std::uint32_t begin = 0; begin < tokens; begin += rows) {
                for (std::size_t i = 0; i < visible.size(); ++i)
                    visible[i] = {0, static_cast<std::uint32_t>(begin + i / config.kvHeads + 1)};
                m_backend.attention(out, {}, query, lists, visible, shape);
            }
        });
        const double pairs = 0.5 * tokens * (tokens + 1.0);
        row.achieved = 4.0 * config.heads * config.headDim * pairs / row.seconds / kGiga;
        row.limit = m_limits.fmaFlopsPerSecond / kGiga;
        row.unit = "GFLOP/s";
        return row;
    }

    BenchmarkRow restore(std::uint32_t tokens)
    {
        KvStore store = emptyStore();
        fill(store, tokens);
        const RestoreCost cost = measureRestore(std::move(store), m_transformer);
        BenchmarkRow row;
        row.what = "restore of " + std::to_string(tokens) + " tokens to the first answer token";
        row.seconds = cost.restoreSeconds;
        row.achieved = 1.0 / cost.restoreSeconds;
        row.limit = 1.0 / cost.floorSeconds();
        row.unit = "restores/s";
        return row;
    }

private:
    KvStore emptyStore() const
    {
        return {{m_subject.config->layers, m_subject.config->kvHeads, m_subject.config->headDim},
                KvType::F16};
    }

    /// Entries without running the model: their values do not matter for the time.
    void fill(KvStore& store, std::uint32_t tokens)
    {
        const KvShape shape = store.shape();
        for (std::uint32_t begin = 0; begin < tokens; begin += 512) {
            const std::uint32_t count = std::min(512U, tokens - begin);
            const Job job = makeJob(count, static_cast<std::int32_t>(begin), LogitRows::None);
            std::vector<std::uint32_t> rows(count);
            std::iota(rows.begin(), rows.end(), store.appendRows(job.positions, Role::Document));
            std::vector<float> values(std::size_t{count} * shape.kvHeads * shape.headDim);
            for (std::size_t i = 0; i < values.size(); ++i)
                values[i] = static_cast<float>(i % 17) * 0.01F;
            for (std::uint32_t layer = 0; layer < shape.layers; ++layer)
                store.appendKv(layer, values, values, rows, m_backend);
        }
    }

    Subject m_subject;
    Transformer m_transformer;
    Backend& m_backend;
    kernels::cpu::MachineLimits m_limits;
};

} // namespace

BenchmarkResult runBenchmark(const BenchmarkOptions& options,
                             const std::function<void(const BenchmarkRow&)>& onRow)
{
    if (std::ranges::find(options.prompts, 0U) != options.prompts.end())
        throw Error(ErrorCode::BadInput, "A prompt to measure must have at least one token.");
    const unsigned threads =
        options.threads == 0 ? std::max(1U, std::thread::hardware_concurrency()) : options.threads;
    std::unique_ptr<RandomModel> made;
    std::shared_ptr<LoadedModel> loaded;
    Subject subject;
    BenchmarkResult result;
    if (options.modelPath.empty()) {
        made = std::make_unique<RandomModel>(oneBillionShape());
        subject = subjectOf(made->config(), made->weights());
        result.model = made->config().name + ", Q8_0";
    } else {
        loaded = loadModel(options.modelPath, {.threads = threads});
        subject = subjectOf(loaded->config(), loaded->weights());
        result.model = loaded->info().name + ", " + loaded->info().fileType;
    }
    const auto backend = makeCpuBackend(threads, kernels::cpu::Activations::Int8);
    result.device = backend->sentence();
    kernels::cpu::ThreadPool pool(threads);
    const auto limits = kernels::cpu::measureLimits(pool);
    result.readGigabytesPerSecond = limits.readBytesPerSecond / kGiga;
    result.fmaGigaflops = limits.fmaFlopsPerSecond / kGiga;
    result.int8Gigaops = limits.int8OpsPerSecond / kGiga;

    Run run(subject, *backend, limits);
    const auto add = [&](const BenchmarkRow& row) {
        result.rows.push_back(row);
        if (onRow)
            onRow(row);
    };
    for (const std::uint32_t tokens : options.prompts)
        add(run.prefill(tokens));
    if (options.generate > 0)
        add(run.decode(options.generate, options.depth));
    if (options.attentionTokens > 0)
        add(run.attention(options.attentionTokens));
    if (options.restoreTokens > 0)
        add(run.restore(options.restoreTokens));
    return result;
}

} // namespace engine
