// Processor time of one decoded token with PoD's shared keys: dense, with distant tokens attended
// to, and with all of them left out (skip=0), behind random keys and values. Eight layers in groups
// of four, 16 first and 240 recent tokens are near.
// Usage: bench_pod_skip [depth...]

#include "engine/eval/random_model.h"
#include "engine/eval/random_model_file.h"
#include "engine/methods/shared_keys.h"
#include "engine/run/transformer.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <numeric>
#include <random>

namespace {

using namespace engine;

constexpr std::uint32_t kFillRows = 512;

class Sharing final : public Hooks
{
public:
    explicit Sharing(SharedKeys keys)
        : m_keys(std::move(keys))
    {}
    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        addSharedKeySegments(m_keys, step, segments);
    }
    bool keepsQuery(const LayerStep& step) const override { return m_keys.lends(step.layer); }

private:
    SharedKeys m_keys;
};

KvStore filled(const ModelConfig& config, std::uint32_t depth, Backend& backend)
{
    KvStore store({config.layers, config.kvHeads, config.headDim}, kernels::KvType::F16);
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> values(std::size_t{kFillRows} * config.kvHeads * config.headDim);
    std::ranges::generate(values, [&] { return normal(random); });
    for (std::uint32_t begin = 0; begin < depth; begin += kFillRows) {
        std::vector<std::int32_t> positions(kFillRows);
        std::iota(positions.begin(), positions.end(), static_cast<std::int32_t>(begin));
        std::vector<std::uint32_t> rows(kFillRows);
        std::iota(rows.begin(), rows.end(), store.appendRows(positions, Role::Document));
        for (std::uint32_t layer = 0; layer < config.layers; ++layer)
            store.appendKv(layer, values, values, rows, backend);
    }
    return store;
}

/// Milliseconds of a token, the median of 15.
double tokenTime(Transformer& transformer, KvStore& store, Hooks& hooks)
{
    std::vector<double> times;
    for (int run = 0; run < 15; ++run) {
        Job job;
        job.tokens = {7};
        job.positions = {store.nextPosition()};
        job.role = Role::Generated;
        job.logits = LogitRows::Last;
        job.keepsKv = false;
        const std::clock_t start = std::clock();
        transformer.run(std::move(job), store, hooks);
        times.push_back(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    }
    std::ranges::sort(times);
    return times[times.size() / 2] * 1e3;
}

} // namespace

int main(int argumentCount, char** arguments)
{
    std::vector<std::uint32_t> depths;
    for (int i = 1; i < argumentCount; ++i)
        depths.push_back(static_cast<std::uint32_t>(std::strtoul(arguments[i], nullptr, 10)));
    if (depths.empty())
        depths = {4096, 8192, 16384, 32768};
    const RandomModel model(smallShape());
    const ModelConfig& config = model.config();
    const auto backend = makeCpuBackend(1, kernels::cpu::Activations::Int8);
    Transformer transformer(config, model.weights(), *backend);
    const LayerGroups groups = fixedGroups(config.layers, config.kvHeads, 4);
    std::printf("%8s %10s %10s %10s\n", "depth", "dense ms", "pod ms", "skip=0 ms");
    for (const std::uint32_t depth : depths) {
        KvStore store = filled(config, depth, *backend);
        Hooks dense;
        Sharing shared({groups, 16, 240, true, 2});
        Sharing skipping({groups, 16, 240, true, 0});
        const double denseTime = tokenTime(transformer, store, dense);
        const double sharedTime = tokenTime(transformer, store, shared);
        std::printf("%8u %10.2f %10.2f %10.2f\n", depth, denseTime, sharedTime,
                    tokenTime(transformer, store, skipping));
    }
    return 0;
}
