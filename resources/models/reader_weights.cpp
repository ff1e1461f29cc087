#include "resources/models/reader_weights.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace resources {

namespace {

/// The magnitude that, times kStored and the usual 1 / sqrt(headDim), gives `logit`.
double queryOf(double logit)
{
    return logit * std::sqrt(static_cast<double>(kHeadDim)) / kStored;
}

ReaderTensor makeTensor(std::string name, std::size_t columns, std::size_t rows)
{
    return {std::move(name), columns, rows, false, std::vector<float>(columns * rows, 0.0F)};
}

ReaderTensor makeVector(std::string name, std::size_t size, float value)
{
    return {std::move(name), size, 1, true, std::vector<float>(size, value)};
}

/// What RMSNorm divides by when `signs` signs are set: the norm's weight undoes it exactly.
float rootMeanSquare(std::size_t signs)
{
    const double sum =
        static_cast<double>(signs) * kSign * kSign + double{kConstant} * kConstant + 1.0;
    return static_cast<float>(std::sqrt(sum / static_cast<double>(kWidth) + kNormEpsilon));
}

/// The matrices of one attention block. Rows of q, k and v are numbered through all heads.
struct AttentionBlock
{
    ReaderTensor query, key, value, output;

    explicit AttentionBlock(std::size_t layer)
        : query(makeTensor(name(layer, "q"), kWidth, kHeads * kHeadDim))
        , key(makeTensor(name(layer, "k"), kWidth, kHeads * kHeadDim))
        , value(makeTensor(name(layer, "v"), kWidth, kHeads * kHeadDim))
        , output(makeTensor(name(layer, "output"), kHeads * kHeadDim, kWidth))
    {}

    static std::string name(std::size_t layer, const char* part)
    {
        return "blk." + std::to_string(layer) + ".attn_" + part + ".weight";
    }

    static float& at(ReaderTensor& tensor, std::size_t row, std::size_t column)
    {
        return tensor.values[row * tensor.columns + column];
    }

    /// The same query in every row: `logit` towards a key of kStored.
    void constantQuery(std::size_t head, std::size_t dim, double logit)
    {
        at(query, head * kHeadDim + dim, kConstantDim) =
            static_cast<float>(queryOf(logit) / kConstant);
    }

    /// The key that tells the first row from all others.
    void markBegin(std::size_t head, double logit)
    {
        at(key, head * kHeadDim + kMarkDim, kBeginDim) = kStored;
        constantQuery(head, kMarkDim, logit);
    }

    /// Keys that tell the distance: in every row but the first the same arrow, turned by RoPE.
    /// The query points where the arrow of `distance` rows before is then.
    void markDistance(std::size_t head, std::size_t pair, double distance, double logit)
    {
        const double angle = kAngles[pair] * distance;
        at(key, head * kHeadDim + 2 * pair, kTextDim) = kStored;
        constantQuery(head, 2 * pair, logit * std::cos(angle));
        constantQuery(head, 2 * pair + 1, -logit * std::sin(angle));
    }

    /// Copies signs from the slot of the attended row to `slot` of this row.
    void copyCurrent(std::size_t head, std::size_t slot, std::size_t signs)
    {
        for (std::size_t i = 0; i < signs; ++i) {
            at(value, head * kHeadDim + i, kCurrentSlot + i) = kStored / kSign;
            at(output, slot + i, head * kHeadDim + i) = kSign / kStored;
        }
    }

    void rest(std::size_t head) { markBegin(head, kIdleLogit); }
};

AttentionBlock lookBackLayer()
{
    AttentionBlock block(0);
    for (std::size_t head = 0; head < kLookBack; ++head) {
        for (std::size_t pair = 0; pair < kRotatedPairs; ++pair) {
            block.markDistance(head, pair, static_cast<double>(head + 1),
                               kLookBackLogit * kShares[pair]);
        }
        block.markBegin(head, kLookBackBegin);
        block.copyCurrent(head, kLagSlot[head], kSlotBits[head]);
    }
    return block;
}

/// Compares one sign: in the query the token `lag - 1` before the row, in the key `lag` before.
/// The first row's key is +kStored in every such place whatever the codes, and what the query gives
/// for that is taken off its mark again: the first row's logit is the same for every query.
void compareSign(AttentionBlock& block, std::size_t dim, std::size_t lag, std::size_t sign,
                 const TokenCode& beginCode)
{
    const std::size_t head = kInductionHead * kHeadDim;
    const std::size_t asked = (lag == 1 ? kCurrentSlot : kLagSlot[lag - 2]) + sign;
    const double logit = lag <= kFullLags ? kSignLogit : kFarLogit;
    const auto weight = static_cast<float>(queryOf(logit) / kSign);
    AttentionBlock::at(block.query, head + dim, asked) = weight;
    AttentionBlock::at(block.query, head + kMarkDim, asked) -= weight;
    AttentionBlock::at(block.key, head + dim, kLagSlot[lag - 1] + sign) = kStored / kSign;
    AttentionBlock::at(block.key, head + dim, kBeginDim) = kStored * (1.0F - beginCode[sign]);
}

/// What a marking head compares: of the query the token `lag` before it, of the key the token
/// `lag + distance + 1` before it, as many of their signs as both rows remember.
struct MarkedPair
{
    std::size_t asked = 0; // slots in the residual stream
    std::size_t key = 0;
    std::size_t signs = 0;
};

std::vector<MarkedPair> markedPairs(std::size_t distance)
{
    std::vector<MarkedPair> pairs;
    for (std::size_t lag = 0; lag <= kLookBack && lag + distance < kLookBack; ++lag) {
        const std::size_t keyLag = lag + distance; // index of lag + distance + 1
        const std::size_t askedSigns = lag == 0 ? kCodeBits : kSlotBits[lag - 1];
        const std::size_t signs = std::min(askedSigns, kSlotBits[keyLag]);
        const std::size_t asked = lag == 0 ? kCurrentSlot : kLagSlot[lag - 1];
        // Three tokens are enough; more only where the far ones have few signs.
        if (lag < kFullLags || distance >= kFullLags) {
            pairs.push_back({asked, kLagSlot[keyLag], signs});
        }
    }
    return pairs;
}

void markQuotations(AttentionBlock& block, std::size_t head, std::size_t distance)
{
    const std::vector<MarkedPair> pairs = markedPairs(distance);
    std::size_t signs = 0;
    for (const MarkedPair& pair : pairs) {
        signs += pair.signs;
    }
    const auto weight =
        static_cast<float>(queryOf(kMarkLogit / static_cast<double>(signs)) / kSign);
    std::size_t dim = head * kHeadDim + kSignDim;
    for (const MarkedPair& pair : pairs) {
        for (std::size_t sign = 0; sign < pair.signs; ++sign, ++dim) {
            AttentionBlock::at(block.query, dim, pair.asked + sign) = weight;
            AttentionBlock::at(block.key, dim, pair.key + sign) = kStored / kSign;
        }
    }
}

/// The heads but the comparing one: they rest, or all but one mark.
void fillOtherHeads(AttentionBlock& block, const ReaderVariant& variant)
{
    std::size_t distance = 0;
    for (std::size_t head = 0; head < kHeads; ++head) {
        if (head == kInductionHead) {
            continue;
        }
        if (variant.marksQuotations && distance < kMarkedTokens) {
            markQuotations(block, head, distance++);
        } else {
            block.rest(head);
        }
    }
}

AttentionBlock middleLayer(std::size_t layer, const ReaderVariant& variant)
{
    AttentionBlock block(layer);
    block.rest(kInductionHead);
    fillOtherHeads(block, variant);
    return block;
}

AttentionBlock inductionLayer(const TokenCode& beginCode, const TokenCode& endCode,
                              const ReaderVariant& variant)
{
    AttentionBlock block(1 + variant.middleLayers);
    fillOtherHeads(block, variant);
    std::size_t dim = kSignDim;
    for (std::size_t lag = 1; lag <= kLookBack; ++lag) {
        for (std::size_t sign = 0; sign < kLagBits[lag - 1]; ++sign) {
            compareSign(block, dim++, lag, sign, beginCode);
        }
    }
    for (std::size_t pair = 0; pair < kRotatedPairs; ++pair) {
        block.markDistance(kInductionHead, pair, 0.0, -kDistanceLogit);
    }
    block.markBegin(kInductionHead, kBeginLogit);
    block.copyCurrent(kInductionHead, kOutputSlot, kCodeBits);
    for (std::size_t sign = 0; sign < kCodeBits; ++sign) {
        AttentionBlock::at(block.value, kInductionHead * kHeadDim + sign, kBeginDim) =
            kStored * (endCode[sign] - beginCode[sign]);
    }
    return block;
}

void addLayer(std::vector<ReaderTensor>& tensors, std::size_t layer, float norm,
              AttentionBlock block)
{
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    tensors.push_back(makeVector(prefix + "attn_norm.weight", kWidth, norm));
    tensors.push_back(std::move(block.query));
    tensors.push_back(std::move(block.key));
    tensors.push_back(std::move(block.value));
    tensors.push_back(std::move(block.output));
    tensors.push_back(makeVector(prefix + "ffn_norm.weight", kWidth, 1.0F));
    tensors.push_back(makeTensor(prefix + "ffn_gate.weight", kWidth, kFeedForward));
    tensors.push_back(makeTensor(prefix + "ffn_up.weight", kWidth, kFeedForward));
    tensors.push_back(makeTensor(prefix + "ffn_down.weight", kFeedForward, kWidth));
}

/// GGUF's divisors of the usual frequencies base^(-2 i / headDim).
ReaderTensor rotationDivisors()
{
    ReaderTensor divisors =
        makeVector("rope_freqs.weight", kHeadDim / 2, static_cast<float>(kUnrotatedDivisor));
    for (std::size_t pair = 0; pair < kRotatedPairs; ++pair) {
        const double exponent = -2.0 * static_cast<double>(pair) / static_cast<double>(kHeadDim);
        divisors.values[pair] = static_cast<float>(std::pow(kRopeBase, exponent) / kAngles[pair]);
    }
    return divisors;
}

} // namespace

std::vector<ReaderTensor> readerTensors(std::int32_t begin, std::int32_t lineFeed,
                                        const ReaderVariant& variant)
{
    const std::vector<TokenCode> codes = tokenCodes();
    const TokenCode& beginCode = codes[static_cast<std::size_t>(begin)];
    const TokenCode& endCode = codes[static_cast<std::size_t>(lineFeed)];
    ReaderTensor embedding = makeTensor("token_embd.weight", kWidth, codes.size());
    ReaderTensor output = makeTensor("output.weight", kWidth, codes.size());
    for (std::size_t token = 0; token < codes.size(); ++token) {
        float* row = &embedding.values[token * kWidth];
        const bool isBegin = token == static_cast<std::size_t>(begin);
        for (std::size_t sign = 0; sign < kCodeBits; ++sign) {
            row[kCurrentSlot + sign] = kSign * codes[token][sign];
            // The begin mark is never an answer: its row of the output matrix stays zero.
            output.values[token * kWidth + kOutputSlot + sign] =
                isBegin ? 0.0F : kOutputGain * codes[token][sign];
        }
        row[kConstantDim] = kConstant;
        row[isBegin ? kBeginDim : kTextDim] = 1.0F;
    }

    std::vector<ReaderTensor> tensors;
    tensors.push_back(std::move(embedding));
    tensors.push_back(rotationDivisors());
    const std::size_t remembered = std::accumulate(kSlotBits.begin(), kSlotBits.end(), kCodeBits);
    addLayer(tensors, 0, rootMeanSquare(kCodeBits), lookBackLayer());
    for (std::size_t layer = 1; layer <= variant.middleLayers; ++layer) {
        addLayer(tensors, layer, rootMeanSquare(remembered), middleLayer(layer, variant));
    }
    addLayer(tensors, 1 + variant.middleLayers, rootMeanSquare(remembered),
             inductionLayer(beginCode, endCode, variant));
    tensors.push_back(
        makeVector("output_norm.weight", kWidth, rootMeanSquare(remembered + kCodeBits)));
    tensors.push_back(std::move(output));
    return tensors;
}

} // namespace resources
