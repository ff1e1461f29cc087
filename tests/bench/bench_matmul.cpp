// Measures matmul() against the limits of the machine it runs on.
//   bench_matmul [threads] [tokens]

#include "kernels/cpu/measure_limits.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/formats/quantise.h"
#include "kernels/matmul.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

namespace {

using kernels::WeightType;
using kernels::WeightView;
using kernels::cpu::MachineLimits;
using kernels::cpu::MatmulScratch;
using kernels::cpu::ThreadPool;

struct NamedType
{
    WeightType type;
    const char* name;
};

constexpr std::array kTypes{NamedType{WeightType::F32, "F32"}, NamedType{WeightType::F16, "F16"},
                            NamedType{WeightType::BF16, "BF16"},
                            NamedType{WeightType::Q8_0, "Q8_0"},
                            NamedType{WeightType::Q4_0, "Q4_0"}};

struct Shape
{
    std::size_t rows;
    std::size_t cols;
};

constexpr std::array kShapes{Shape{2048, 2048}, Shape{8192, 2048}, Shape{2048, 8192}};

/// Copies of a matrix that no cache holds together, as the layers of a model follow each other.
class Layers
{
public:
    Layers(WeightType type, const Shape& shape, std::size_t minimumBytes)
        : m_type(type)
        , m_shape(shape)
        , m_layerBytes(shape.rows * kernels::rowBytes(type, shape.cols))
        , m_count(minimumBytes / m_layerBytes + 1)
        , m_bytes(m_count * m_layerBytes)
    {
        std::mt19937 random(1);
        std::uniform_real_distribution<float> uniform(-0.1F, 0.1F);
        std::vector<float> row(shape.cols);
        std::ranges::generate(row, [&] { return uniform(random); });
        const std::size_t stride = kernels::rowBytes(type, shape.cols);
        for (std::size_t begin = 0; begin < m_bytes.size(); begin += stride)
            kernels::quantiseRow(std::span(m_bytes).subspan(begin, stride), row, type);
    }

    std::size_t layerBytes() const { return m_layerBytes; }

    WeightView next()
    {
        const std::size_t index = m_next++ % m_count;
        return {m_bytes.data() + index * m_layerBytes, m_type, m_shape.rows, m_shape.cols};
    }

private:
    WeightType m_type;
    Shape m_shape;
    std::size_t m_layerBytes;
    std::size_t m_count;
    std::vector<std::byte> m_bytes;
    std::size_t m_next = 0;
};

/// Best time of one product over about half a second, in seconds.
double bestTime(Layers& layers, const Shape& shape, std::size_t tokens, ThreadPool& pool)
{
    using Clock = std::chrono::steady_clock;
    std::vector<float> in(tokens * shape.cols);
    for (std::size_t i = 0; i < in.size(); ++i)
        in[i] = static_cast<float>(i % 17) - 8.0F;
    std::vector<float> out(tokens * shape.rows);
    MatmulScratch scratch;
    double best = 1e9;
    const auto start = Clock::now();
    for (int run = 0; run < 4 || Clock::now() - start < std::chrono::milliseconds(500); ++run) {
        const WeightView weights = layers.next();
        const auto begin = Clock::now();
        kernels::cpu::matmul(out, in, weights, tokens, kernels::cpu::Activations::Int8, scratch,
                             pool);
        best = std::min(best, std::chrono::duration<double>(Clock::now() - begin).count());
    }
    return best;
}

void report(const NamedType& type, const Shape& shape, std::size_t tokens,
            const MachineLimits& limits, ThreadPool& pool)
{
    const bool quantised = kernels::blockShape(type.type).elements > 1;
    Layers layers(type.type, shape, std::size_t{128} << 20U);
    const double operations = 2.0 * static_cast<double>(shape.rows * shape.cols * tokens);
    const double rate = operations / bestTime(layers, shape, tokens, pool);
    const double limit = quantised ? limits.int8OpsPerSecond : limits.fmaFlopsPerSecond;
    const double bandwidth =
        static_cast<double>(layers.layerBytes()) / bestTime(layers, shape, 1, pool);
    std::printf("%-5s %5zu x %-5zu %8.1f %5.0f %%   %8.1f %5.0f %%\n", type.name, shape.rows,
                shape.cols, rate * 1e-9, 100.0 * rate / limit, bandwidth * 1e-9,
                100.0 * bandwidth / limits.readBytesPerSecond);
}

} // namespace

int main(int argc, char** argv)
{
    const std::size_t threads = argc > 1 ? std::strtoul(argv[1], nullptr, 10)
                                         : std::max(std::thread::hardware_concurrency(), 1U);
    const std::size_t tokens = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 512;
    ThreadPool pool(threads);
    const MachineLimits limits = kernels::cpu::measureLimits(pool);
    std::printf("limits, %zu threads: read %.1f GB/s, float32 %.1f GFLOP/s, 8-bit %.1f GOP/s\n",
                pool.threads(), limits.readBytesPerSecond * 1e-9, limits.fmaFlopsPerSecond * 1e-9,
                limits.int8OpsPerSecond * 1e-9);
    std::printf("type   rows x cols   prefill %zu: GOP/s, of limit   decode: GB/s, of limit\n",
                tokens);
    for (const NamedType& type : kTypes) {
        for (const Shape& shape : kShapes)
            report(type, shape, tokens, limits, pool);
    }
    return 0;
}
