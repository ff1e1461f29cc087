#include "engine/model/output_norms.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace engine {
namespace {

kernels::WeightView viewOf(std::span<const float> matrix, std::size_t rows)
{
    return {.data = std::as_bytes(matrix).data(),
            .type = kernels::WeightType::F32,
            .rows = rows,
            .cols = matrix.size() / rows};
}

} // namespace

OutputNorms::OutputNorms(Backend& backend, const Weights& weights, const ModelConfig& config)
    : m_backend(backend)
    , m_weights(weights)
    , m_config(config)
    , m_products(config.layers)
{}

void OutputNorms::computeLayer(std::uint32_t layer)
{
    const kernels::WeightView& output = m_weights.layers[layer].output;
    std::vector<std::int32_t> rows(output.rows);
    std::iota(rows.begin(), rows.end(), 0);
    std::vector<float> matrix(output.rows * output.cols);
    m_backend.embed(matrix, output, rows); // as float32
    const std::size_t dim = m_config.headDim;
    std::vector<float>& products = m_products[layer];
    products.resize(m_config.heads * dim * dim);
    std::vector<float> transposed(dim * output.rows);
    for (std::size_t head = 0; head < m_config.heads; ++head) {
        for (std::size_t row = 0; row < output.rows; ++row) {
            for (std::size_t c = 0; c < dim; ++c)
                transposed[c * output.rows + row] = matrix[row * output.cols + head * dim + c];
        }
        m_backend.matmul(std::span(products).subspan(head * dim * dim, dim * dim), transposed,
                         viewOf(transposed, dim), dim);
    }
}

std::vector<float> OutputNorms::of(std::uint32_t layer, std::uint32_t kvHead,
                                   std::span<const float> values)
{
    if (m_products[layer].empty())
        computeLayer(layer);
    const std::size_t dim = m_config.headDim;
    const std::size_t count = values.size() / dim;
    const std::size_t group = m_config.heads / m_config.kvHeads;
    std::vector<float> norms;
    std::vector<float> turned(values.size());
    for (std::size_t member = 0; member < group; ++member) {
        const std::size_t head = kvHead * group + member;
        const auto product =
            std::span<const float>(m_products[layer]).subspan(head * dim * dim, dim * dim);
        m_backend.matmul(turned, values, viewOf(product, dim), count);
        for (std::size_t at = 0; at < values.size(); at += dim) {
            const double square =
                std::inner_product(values.begin() + static_cast<std::ptrdiff_t>(at),
                                   values.begin() + static_cast<std::ptrdiff_t>(at + dim),
                                   turned.begin() + static_cast<std::ptrdiff_t>(at), 0.0);
            norms.push_back(static_cast<float>(std::sqrt(std::max(square, 0.0))));
        }
    }
    return norms;
}

} // namespace engine
