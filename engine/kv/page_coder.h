#pragma once

#include "engine/kv/kv_list.h"

#include <memory>
#include <span>
#include <vector>

namespace engine {

class ByteReader;
class ByteWriter;

/// What decides about the bytes of a full page.
struct PageForm
{
    kernels::KvType type = kernels::KvType::F16;
    bool hasKeys = true;

    // clang-tidy 14 does not know what compares with 0 here.
    // NOLINTNEXTLINE(modernize-use-nullptr,readability-implicit-bool-conversion)
    friend auto operator<=>(const PageForm&, const PageForm&) = default;
};

/// Writes pages that lie one behind the other with entropy coding, in the manner of CacheGen (Liu
/// et al. 2023, arXiv 2310.07240, section 5.2): after quantisation and without loss. Bytes of one
/// kind (codes, and the low and the high halves of float16 scales) share one table each, since each
/// kind has a distribution of its own; CacheGen has a table per channel, which pays only for larger
/// pieces.
void writeCodedPages(std::span<const std::shared_ptr<const KvPage>> pages, std::size_t headDim,
                     ByteWriter& writer);

/// Reads pages of the given forms, bit for bit as they were written. Throws Damaged.
std::vector<std::shared_ptr<const KvPage>> readCodedPages(std::span<const PageForm> forms,
                                                          std::size_t headDim, ByteReader& reader);

} // namespace engine
