#include "kernels/cpu/attention_block.h"
#include "kernels/cpu/attention_panels.h"
#include "kernels/cpu/score_pass_tile.h"

namespace kernels::cpu {
namespace {

template <class Matrix>
void expandPanels(float* out, const Matrix& keys, std::size_t headDim)
{
    expandMatrix(keys, panelShape(PageSide::Keys, headDim), out);
}

} // namespace

ExpandedKeys expandKeysAvx2(float* out, const KvPageView& page, std::size_t pageBegin,
                            std::size_t headDim)
{
    const PanelShape shape = panelShape(PageSide::Keys, headDim);
    float parameters[4 * kMaxHeadDim];
    ExpandedKeys keys{.numbers = out, .begin = pageBegin, .rows = page.rows};
    switch (page.type) {
    case KvType::F32:
        keys.numbers = reinterpret_cast<const float*>(page.keys);
        break;
    case KvType::F16:
        expandPanels(out, F16Matrix{page.keys, headDim}, headDim);
        break;
    case KvType::Int8:
        expandPanels(out, Int8Matrix{page.keys + kInt8CodesOffset, headDim}, headDim);
        expandScales(out + headDim * kPageRows, page.keys);
        keys.scales = out + headDim * kPageRows;
        break;
    case KvType::Kivi4:
        expandPanels(out, kiviMatrix<4>(page.keys, shape, parameters), headDim);
        break;
    case KvType::Kivi2:
        expandPanels(out, kiviMatrix<2>(page.keys, shape, parameters), headDim);
        break;
    }
    return keys;
}

} // namespace kernels::cpu
