#include "engine/dialog/context.h"

#include "engine/dialog/context_format.h"
#include "engine/kv/page_coder.h"

#include <algorithm>

namespace engine {
namespace {

std::size_t pageBytes(const KvList& list, std::uint32_t page)
{
    return list.pages()[page]->keys.size() + list.pages()[page]->values.size();
}

const KvList& listOf(const KvStore& store, std::uint32_t index)
{
    return store.list(index / store.shape().kvHeads, index % store.shape().kvHeads);
}

/// A beacon counts for the token that it stands behind.
std::vector<std::uint32_t> tokensOfRows(const KvStore& store, std::uint32_t prefixRows)
{
    const std::vector<Role>& roles = store.roles();
    std::vector<std::uint32_t> tokens;
    if (std::ranges::find(roles, Role::Beacon) == roles.end())
        return tokens;
    std::uint32_t next = 0;
    for (std::size_t row = prefixRows; row < roles.size(); ++row) {
        next += roles[row] == Role::Document ? 1 : 0;
        tokens.push_back(next - 1);
    }
    return tokens;
}

std::vector<std::vector<SegmentPart>> planOf(const KvStore& store)
{
    return planSegments(
        store.shape().layers * store.shape().kvHeads,
        [&](std::uint32_t list) {
            return static_cast<std::uint32_t>(listOf(store, list).pages().size());
        },
        [&](std::uint32_t list, std::uint32_t page) {
            return pageBytes(listOf(store, list), page);
        });
}

std::vector<std::byte> writeHeader(const Context& context, std::size_t segments)
{
    const KvStore& store = context.store();
    ByteWriter writer;
    writeContextInfo(writer, context.info());
    writer.putText(context.systemText());
    writer.putArray(context.methodState());
    writer.put(static_cast<std::uint32_t>(segments));
    writer.put(store.shape());
    writer.put(store.workingType());
    writer.put(store.nextPosition());
    writer.putArray(std::span<const std::int32_t>(store.positions()));
    writer.putArray(std::span<const Role>(store.roles()));
    writer.putArray(std::span<const ByteRange>(context.ranges()));
    for (std::uint32_t index = 0; index < store.shape().layers * store.shape().kvHeads; ++index) {
        const KvList& list = listOf(store, index);
        writer.put(list.length());
        // Ascending rows as differences: most are small and take one byte.
        std::uint32_t previous = 0;
        for (std::uint32_t entry = 0; entry < list.length(); ++entry) {
            writer.putVarint(list.row(entry) - previous);
            previous = list.row(entry);
        }
        for (const auto& page : list.pages()) {
            const auto type = static_cast<std::uint8_t>(page->type);
            writer.put(static_cast<std::uint8_t>(page->keys.empty() ? type | kNoKeysBit : type));
        }
    }
    return writer.take();
}

} // namespace

Context::Context(ContextInfo info, KvStore store, std::vector<ByteRange> ranges,
                 std::string systemText, std::vector<std::byte> methodState)
    : m_info(std::move(info))
    , m_store(std::move(store))
    , m_ranges(std::move(ranges))
    , m_systemText(std::move(systemText))
    , m_methodState(std::move(methodState))
    , m_tokenOfRow(tokensOfRows(m_store, prefixRows()))
{}

std::vector<std::vector<SegmentPart>>
planSegments(std::uint32_t lists, const std::function<std::uint32_t(std::uint32_t)>& pageCount,
             const std::function<std::size_t(std::uint32_t, std::uint32_t)>& pageBytes)
{
    std::vector<std::vector<SegmentPart>> segments;
    std::size_t bytes = kSegmentBytes;
    for (std::uint32_t list = 0; list < lists; ++list) {
        const std::uint32_t pages = pageCount(list);
        for (std::uint32_t page = 0; page < pages; ++page) {
            if (bytes >= kSegmentBytes) {
                segments.emplace_back();
                bytes = 0;
            }
            auto& parts = segments.back();
            if (parts.empty() || parts.back().list != list)
                parts.push_back({list, page, 0});
            ++parts.back().pageCount;
            bytes += pageBytes(list, page);
        }
    }
    return segments;
}

const ContextInfo& contextInfo(const Context& context)
{
    return context.info();
}

std::vector<std::uint32_t> keptCounts(const Context& context)
{
    const KvStore& store = context.store();
    std::vector<std::uint32_t> counts;
    for (std::uint32_t index = 0; index < store.shape().layers * store.shape().kvHeads; ++index) {
        const KvList& list = listOf(store, index);
        std::uint32_t kept = 0;
        for (std::uint32_t entry = 0; entry < list.length(); ++entry) {
            if (isOfDocument(store.role(list.row(entry))))
                ++kept;
        }
        counts.push_back(kept);
    }
    return counts;
}

std::vector<std::uint16_t> retentionMap(const Context& context)
{
    const KvStore& store = context.store();
    const std::span<const std::uint32_t> tokens = context.tokenOfRow();
    std::vector<std::uint16_t> map(context.ranges().size());
    for (std::uint32_t index = 0; index < store.shape().layers * store.shape().kvHeads; ++index) {
        const KvList& list = listOf(store, index);
        for (std::uint32_t entry = 0; entry < list.length(); ++entry) {
            const std::uint32_t row = list.row(entry);
            if (!isOfDocument(store.role(row)))
                continue;
            const std::uint32_t place = row - context.prefixRows();
            ++map[tokens.empty() ? place : tokens[place]];
        }
    }
    return map;
}

std::vector<ByteRange> tokenRanges(const Context& context)
{
    return context.ranges();
}

std::string biasTable(const Context& context)
{
    if (context.info().method != "homer") {
        throw Error(ErrorCode::BadInput,
                    "Only contexts of the method homer have a bias table; this "
                    "one was made by " +
                        context.info().method + ".");
    }
    const std::span<const std::byte> state = context.methodState();
    return {reinterpret_cast<const char*>(state.data()), state.size()};
}

std::size_t segmentCount(const Context& context)
{
    return planOf(context.store()).size() + 1;
}

std::vector<std::byte> writeSegment(const Context& context, std::size_t index)
{
    const auto plan = planOf(context.store());
    if (index == 0)
        return writeHeader(context, plan.size() + 1);
    ByteWriter writer;
    writer.put(kSegmentMagic);
    writer.put(static_cast<std::uint32_t>(index));
    for (const SegmentPart& part : plan.at(index - 1)) {
        const auto pages = std::span(listOf(context.store(), part.list).pages())
                               .subspan(part.firstPage, part.pageCount);
        if (context.info().coded) {
            writeCodedPages(pages, context.store().shape().headDim, writer);
            continue;
        }
        for (const auto& page : pages) {
            writer.putBytes(page->keys);
            writer.putBytes(page->values);
        }
    }
    return writer.take();
}

} // namespace engine
