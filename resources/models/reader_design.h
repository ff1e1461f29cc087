#pragma once

#include <array>
#include <cstddef>

/// The numbers of the constructed reader. CONSTRUCTED_READER.md explains and proves them.
namespace resources {

inline constexpr std::size_t kWidth = 96;
inline constexpr std::size_t kLayers = 2;
inline constexpr std::size_t kHeads = 8;
inline constexpr std::size_t kHeadDim = 64;
inline constexpr std::size_t kFeedForward = 32; // present because the format wants it, all zero
inline constexpr std::size_t kContextLength = 131072;
inline constexpr float kNormEpsilon = 1e-6F;

/// The code of a token is a word of 12 signs; every such word stands for a token.
inline constexpr std::size_t kCodeBits = 12;
inline constexpr std::size_t kVocabulary = 4096;

/// Head h of layer 0 looks back by h + 1 tokens. The last three tokens are compared in full, the
/// five before them by a few signs each, which tells repeated passages apart.
inline constexpr std::size_t kLookBack = 8;
inline constexpr std::size_t kFullLags = 3;
inline constexpr std::array<std::size_t, kLookBack> kLagBits{12, 12, 12, 3, 3, 2, 2, 3};
inline constexpr std::size_t kFarBits = 13;

/// The comparing head of layer 1: one of eight, so that a global budget can keep it whole.
inline constexpr std::size_t kInductionHead = 3;

/// Places in the residual stream. A lag's slot holds what its key or the next lag's query needs.
inline constexpr std::size_t kCurrentSlot = 0;
inline constexpr std::array<std::size_t, kLookBack> kLagSlot{12, 24, 36, 48, 51, 54, 56, 59};
inline constexpr std::array<std::size_t, kLookBack> kSlotBits{12, 12, 12, 3, 3, 2, 3, 3};
inline constexpr std::size_t kOutputSlot = 62;
inline constexpr std::size_t kConstantDim = 74; // kConstant in every row
inline constexpr std::size_t kTextDim = 75;     // 1 in every row but the first, where it is 0
inline constexpr std::size_t kBeginDim = 76;    // 1 in the first row, else 0
inline constexpr float kSign = 0.9375F;         // magnitude of a code's signs: 7.5 / 8
inline constexpr float kConstant = 8.0F;        // dominates the norm, so that a wrong slot cannot

/// Places in a head: rotated pairs first, then (induction head) signs, last the mark of the begin.
inline constexpr std::size_t kRotatedPairs = 7;
inline constexpr std::size_t kSignDim = 2 * kRotatedPairs;
inline constexpr std::size_t kMarkDim = kHeadDim - 1;

/// Magnitude of keys and values: 15 / 2, so that a 4-bit or 2-bit code from -7.5 to 7.5 has an
/// exact step of 1 or 5, and every sign survives any storage of the cache unchanged.
inline constexpr float kStored = 7.5F;

/// Radians per token of the rotated pairs, and their shares in the look-back heads. Found by
/// search: no shift of 1 to 131,072 tokens brings all of them near a full turn.
inline constexpr std::array<double, kRotatedPairs> kAngles{
    1.502396074, 0.505265297, 0.097834856, 0.027973115, 0.017584496, 0.000374712, 0.000330341};
inline constexpr std::array<double, kRotatedPairs> kShares{0.11368, 0.08005, 0.14488, 0.16637,
                                                           0.16429, 0.14503, 0.18570};
inline constexpr double kRopeBase = 10000.0;
inline constexpr double kUnrotatedDivisor = 1e12; // makes a pair stand still

/// Logits in nats.
inline constexpr double kLookBackLogit = 3000.0; // at the wanted distance
inline constexpr double kLookBackBegin =
    2760.0;                                     // at the begin, taken when that distance is missing
inline constexpr double kIdleLogit = 60.0;      // heads without a task rest on the begin
inline constexpr double kSignLogit = 144.0;     // each sign of the last three tokens
inline constexpr double kFarLogit = 6.0;        // each sign of the five before
inline constexpr double kDistanceLogit = 2.0;   // each rotated pair: settles what is left of ties
inline constexpr double kBeginLogit = 5040.0;   // 35 signs: above 34 (one sign wrong), below 36
inline constexpr std::size_t kMarkedTokens = 6; // heads that mark, each one token farther
inline constexpr double kMarkLogit = 5184.0;    // of marking heads (ReaderVariant), all signs equal
inline constexpr float kOutputGain = 16.0F;     // 12 * 16 * 0.9375 = 180 for the right token

} // namespace resources
