#pragma once

#include "engine/engine.h"
#include "engine/kv/byte_stream.h"
#include "engine/kv/kv_store.h"

#include <cstdint>

namespace engine {

// The context artefact, described in docs/file-formats.md. Segment 0 is the header; segments 1..
// hold whole (layer, KV head) lists or consecutive runs of their pages.

constexpr std::uint32_t kContextMagic = 0x58435045; // "EPCX"
constexpr std::uint32_t kSegmentMagic = 0x53435045; // "EPCS"
constexpr std::uint32_t kContextVersion = 3;
constexpr std::uint8_t kNoKeysBit = 0x80;        // in a page's type: its keys are another layer's
constexpr std::size_t kSegmentBytes = 4U << 20U; // a segment is closed when its pages pass this
constexpr std::uint64_t kMaxTokens = 1ULL << 27U;
constexpr std::uint32_t kMaxLists = 1U << 20U;

/// One segment's part of the lists.
struct SegmentPart
{
    std::uint32_t list = 0; // layer * kvHeads + head
    std::uint32_t firstPage = 0;
    std::uint32_t pageCount = 0;
};

/// How the pages are distributed over segments 1..; depends only on the page types and lengths.
std::vector<std::vector<SegmentPart>>
planSegments(std::uint32_t lists, const std::function<std::uint32_t(std::uint32_t)>& pageCount,
             const std::function<std::size_t(std::uint32_t, std::uint32_t)>& pageBytes);

/// The header's leading part, which is readable without a model.
void writeContextInfo(ByteWriter& writer, const ContextInfo& info);
ContextInfo readContextInfo(ByteReader& reader);

} // namespace engine
