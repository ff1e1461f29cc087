#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernels {

/// How the keys and values of one page are stored.
enum class KvType : std::uint8_t
{
    F32 = 0,
    F16 = 1,
    Int8 = 2,  // one float16 scale per row and head, symmetric
    Kivi4 = 3, // KIVI (arXiv 2402.02750): keys per channel over 32 rows, values per row over 32
               // channels
    Kivi2 = 4
};

/// Rows of a page. Every list of the KV store is cut into pages of this many rows.
constexpr std::size_t kPageRows = 64;

/// Rows (keys) or channels (values) that share one scale and minimum in the KIVI types.
constexpr std::size_t kKiviGroup = 32;

/// True for the types that can be written row by row; the others are encoded a whole page at a
/// time.
constexpr bool isAppendable(KvType type)
{
    return type == KvType::F32 || type == KvType::F16 || type == KvType::Int8;
}

/// Bytes of the keys (or the values) of one full page. `headDim` is a multiple of 32.
std::size_t keyPageBytes(KvType type, std::size_t headDim);
std::size_t valuePageBytes(KvType type, std::size_t headDim);

/// Read-only view of one page of one (layer, KV head) list.
struct KvPageView
{
    const std::byte* keys = nullptr;
    const std::byte* values = nullptr;
    KvType type = KvType::F16;
    std::uint32_t rows = 0; // entries in this page, at most kPageRows
};

namespace cpu {

/// Stores `rows` keys (rows.size() / headDim of them, row-major float32) into a page, starting at
/// row `first`. The KIVI types take exactly kPageRows rows with first = 0.
void encodeKeys(KvType type, std::byte* page, std::span<const float> rows, std::size_t headDim,
                std::size_t first);
void encodeValues(KvType type, std::byte* page, std::span<const float> rows, std::size_t headDim,
                  std::size_t first);

/// Reads rows [first, first + count) of a page as float32, row-major (count * headDim).
void decodeKeys(KvType type, std::span<float> out, const std::byte* page, std::size_t headDim,
                std::size_t first, std::size_t count);
void decodeValues(KvType type, std::span<float> out, const std::byte* page, std::size_t headDim,
                  std::size_t first, std::size_t count);

} // namespace cpu
} // namespace kernels
